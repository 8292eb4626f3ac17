import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Loss, WorkerProcess } from '../../../lib/cluster/worker-process.ts';
import { WorkerSeat } from '../../../lib/cluster/worker-seat.ts';
import type { Exit } from '../../../lib/process/start/child.ts';
import type { Retirement } from '../../../lib/transaction/successor.ts';
import { never } from '../../support/never.ts';

const inOrder: Exit = { code: 0, signal: null };
const killed: Exit = { code: null, signal: 'SIGKILL' };

/** A worker without a process, which ends when the test says so. */
class Actor {
  readonly pid: number;
  readonly lost: Promise<Loss>;
  readonly exited: Promise<Exit>;
  readonly told: Retirement[] = [];
  served = 0;
  lose: (loss: Loss) => void = () => {};
  exit: (exit: Exit) => void = () => {};

  constructor(pid: number) {
    this.pid = pid;
    this.exited = new Promise((resolve) => {
      this.exit = resolve;
    });
    this.lost = new Promise((resolve) => {
      this.lose = resolve;
      void this.exited.then(() => resolve('died'));
    });
  }

  leave(retirement: Retirement): Promise<Exit> {
    this.told.push(retirement);
    return this.exited;
  }
}

const retirement: Retirement = { timeout: 1000, idle: null };

describe('a seat', () => {
  let actors: Actor[];
  let failures: Error[];
  let reported: string[];
  let seat: WorkerSeat;

  beforeEach(() => {
    vi.useFakeTimers();
    actors = [];
    failures = [];
    reported = [];
    seat = new WorkerSeat(
      async () => {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        const actor = new Actor(actors.length + 1);
        actors.push(actor);
        return actor as unknown as WorkerProcess;
      },
      ({ message }) => reported.push(message),
    );
  });
  afterEach(() => vi.useRealTimers());

  it('gives the place to a new worker only when that is ready, and the one before serves until it is seen off', async () => {
    expect(await seat.renew(never)).toBeNull();
    failures.push(new Error('the new one fails'));
    await expect(seat.renew(never)).rejects.toThrow('the new one fails');
    expect(seat.worker?.pid).toBe(1);
    const before = await seat.renew(never);
    expect([before?.pid, seat.worker?.pid, actors[0]?.told]).toEqual([1, 2, []]);
    const seen = seat.seeOff(before as WorkerProcess, retirement);
    expect(actors[0]?.told).toEqual([retirement]);
    expect(seat.alive.map(({ pid }) => pid)).toEqual([2, 1]);
    actors[0]?.exit(inOrder);
    expect(await seen).toBe(true);
    expect(seat.alive.map(({ pid }) => pid)).toEqual([2]);
    expect(reported).toEqual([]);
  });

  it('is taken again after a pause that grows while that fails', async () => {
    await seat.renew(never);
    failures.push(new Error('first'), new Error('second'));
    actors[0]?.exit(killed);
    await vi.advanceTimersByTimeAsync(99);
    expect(reported).toEqual(['The worker (process 1) exited by SIGKILL. Another one is started in 100 ms.']);
    await vi.advanceTimersByTimeAsync(1);
    expect(reported.slice(1)).toEqual(['first']);
    await vi.advanceTimersByTimeAsync(200);
    expect(reported.slice(1)).toEqual(['first', 'second']);
    expect(seat.worker).toBeNull();
    await vi.advanceTimersByTimeAsync(400);
    expect(seat.worker?.pid).toBe(2);
  });

  it('is taken again, without a complaint, when a worker leaves by itself', async () => {
    await seat.renew(never);
    actors[0]?.lose('leaves');
    await vi.advanceTimersByTimeAsync(100);
    expect(seat.alive.map(({ pid }) => pid)).toEqual([2, 1]);
    actors[0]?.exit(inOrder);
    await vi.advanceTimersByTimeAsync(0);
    expect([seat.alive.map(({ pid }) => pid), reported]).toEqual([[2], []]);
  });

  it('is closed when all have left, and says how many of them not in good order', async () => {
    await seat.renew(never);
    const before = (await seat.renew(never)) as WorkerProcess;
    void seat.seeOff(before, retirement);
    const closed = seat.close({ timeout: 0, idle: 0 });
    expect(actors.map(({ told }) => told.at(-1))).toEqual(Array(2).fill({ timeout: 0, idle: 0 }));
    actors[0]?.exit(killed);
    actors[1]?.exit(inOrder);
    expect(await closed).toBe(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([actors.length, reported]).toEqual([2, []]);
    seat.reopen();
    await vi.advanceTimersByTimeAsync(1);
    expect(seat.worker?.pid).toBe(3);
  });

  it('starts nobody when it is closed during the pause, and ends who gets ready just then', async () => {
    await seat.renew(never);
    actors[0]?.exit(killed);
    await vi.advanceTimersByTimeAsync(50);
    expect(await seat.close(retirement)).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(actors).toHaveLength(1);

    const callOff = new AbortController();
    const renewing = seat.renew(callOff.signal);
    const failed = expect(renewing).rejects.toThrow('called off');
    callOff.abort(new Error('called off'));
    await vi.advanceTimersByTimeAsync(0);
    expect(actors[1]?.told).toEqual([{ timeout: 0, idle: null }]);
    actors[1]?.exit(inOrder);
    await failed;
    expect(seat.worker).toBeNull();
  });
});
