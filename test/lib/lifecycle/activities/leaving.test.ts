import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Leaving } from '../../../../lib/lifecycle/activities/leaving.ts';
import type { DrainReport } from '../../../../lib/lifecycle/contract/events.ts';
import type { State } from '../../../../lib/lifecycle/decision/state.ts';
import { Pause } from '../../../../lib/lifecycle/parts/pause.ts';
import { debuggerPort } from '../../../../lib/process/debugger-port.ts';
import { PidFile } from '../../../../lib/process/pid-file.ts';
import type { Successor } from '../../../../lib/transaction/predecessor.ts';
import { HeldRequest } from '../../../support/held-request.ts';
import { refusal } from '../../../support/listening.ts';
import { type LivingOptions, LivingParts } from '../../../support/living-parts.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

const exits = vi.hoisted(() => ({ with: [] as number[] }));
vi.mock('../../../../lib/process/leave.ts', async (original) => ({
  ...(await original<typeof import('../../../../lib/process/leave.ts')>()),
  leave: async (code: number) => void exits.with.push(code),
}));

const alone = { before: 'nobody', heir: false } as const;
const serving: State = { is: 'serving', ...alone };
const stopped: State = { is: 'shutting-down', why: 'shutdown', told: true, ...alone };
const left: State = { is: 'left', toAnother: false, told: true, ...alone };
const counts = { moved: 0, drained: 0, forced: 0, duration: 1 };

let folder: TemporaryFolder;
let living: LivingParts;
let closed: Promise<DrainReport>;

beforeEach(() => {
  exits.with = [];
  folder = new TemporaryFolder();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  living[Symbol.dispose]();
  folder[Symbol.dispose]();
});

function leavingOf(own: LivingParts): Leaving {
  living = own;
  let settle: (report: DrainReport) => void = () => {};
  closed = new Promise((resolve) => {
    settle = resolve;
  });
  return new Leaving(own.parts, settle);
}

function lived(state: State, options?: LivingOptions): Leaving {
  return leavingOf(new LivingParts(state, options));
}

function result(report: Partial<DrainReport> = {}, successor: unknown = null) {
  return { report: { ...counts, reason: 'shutdown', ...report }, cutOff: 'one request', successor } as never;
}

/** Somebody who serves on, and writes down what it is told. */
function heir(inheritsControl = true) {
  const drained = vi.fn(async () => {});
  const passDebugger = vi.fn(() => false);
  return {
    successor: { drained, passDebugger, inheritsControl } as Partial<Successor> as Successor,
    pid: process.ppid,
  };
}

describe('how long a drain may take', () => {
  const limits = { settings: { shutdownTimeout: 30_000, drainTimeout: 3_600_000 } };

  it('as long as the stop says, or as the settings do: less where nobody else serves', () => {
    const leaving = lived(serving, limits);
    expect(leaving.timeout).toBe(30_000);
    leaving.within({ timeout: 0, idle: null });
    expect(leaving.timeout).toBe(0);
  });

  it.each<[string, State]>([
    ['with one beside it', { ...serving, heir: true } as State],
    ['beside the owner', { ...serving, before: 'owner' } as State],
  ])('%s nobody waits', (_, state) => {
    expect(lived(state, limits).timeout).toBe(3_600_000);
  });
});

it('a notice is over after its time, with the terms of the stop that has begun it', async () => {
  const leaving = lived({ is: 'announcing', ...alone });
  const terms = { timeout: 7, idle: null };
  leaving.within(terms);
  leaving.giveNotice(1);
  leaving.within({ timeout: 8, idle: null });
  await living.until('notice-over');
  expect(living.events).toEqual([{ is: 'notice-over', terms }]);
});

it('a drain ends the pause first, and reports its own end', async () => {
  const leaving = lived(stopped);
  const { underway } = living.parts;
  underway.pause = new Pause(async () => ({ how: 'cancelled' }));
  leaving.drain();
  await living.until('drained');
  expect(underway.pause).toBeNull();
  expect(living.orders).toEqual(['leave']);
});

it.each([
  ['drain', { timeout: 0, idle: null }, 'shutdown'],
  ['drainWhatIsLeft', { timeout: 0, idle: null }, 'shutdown'],
  ['drainCalledOff', { timeout: null, idle: null }, 'called-off'],
] as const)('%s has its own limit, and tells why it was', async (how, terms, reason) => {
  const leaving = lived(stopped, { settings: { shutdownTimeout: 0 } });
  const { estate } = living.parts;
  const served = await estate.listen(createServer(), { host: '127.0.0.1', port: 0 });
  await estate.accept();
  using _held = await HeldRequest.open(served.place.address.port as number);
  estate.stopAccepting();
  leaving.within(terms);
  leaving[how]();
  await living.until('drained');
  leaving.leave(null);
  expect(await closed).toMatchObject({ forced: 1, reason });
});

it('what is left of an earlier stop is all that there is', async () => {
  const leaving = lived(stopped);
  living.parts.clock.stopWithin(0);
  const begin = vi.spyOn(living.parts.clock, 'begin');
  leaving.drainWhatIsLeft();
  await living.until('drained');
  expect(begin).toHaveBeenCalledExactlyOnceWith(0);
});

describe('the end', () => {
  it('tells the application, and lets go of everything', async () => {
    const pidFile = folder.file('app.pid');
    const control = folder.file('control');
    const leaving = leavingOf(await LivingParts.at(control, left, { settings: { pidFile: new PidFile(pidFile) } }));
    const { parts, told } = living;
    parts.pidFile.start();
    const served = await parts.estate.listen(createServer(), { path: folder.file('web') });
    leaving.leave(result());
    expect(await closed).toEqual({ ...counts, reason: 'shutdown' });
    expect(told).toEqual([['drain', { ...counts, reason: 'shutdown' }]]);
    expect([pidFile, control, folder.file('web')].filter((path) => existsSync(path))).toEqual([]);
    expect([served.place.closed, parts.control.is]).toEqual([true, 'none']);
    expect(exits.with).toEqual([]);
  });

  it('has to know how it went', () => {
    expect(() => lived(left).leave(null)).toThrow('nothing was drained');
  });

  it('waits for the hooks of the application, of which one that fails keeps no other', async () => {
    const steps: string[] = [];
    const failure = new Error('the database is gone');
    const closeHooks = [
      () => {
        throw failure;
      },
      async () => {
        await new Promise(setImmediate);
        steps.push('hooked');
      },
    ];
    const leaving = lived(left, { parts: { closeHooks } });
    leaving.leave(result());
    await closed;
    expect({ steps, reported: living.reported }).toEqual({ steps: ['hooked'], reported: [failure] });
  });

  it('does not wait longer than the settings allow', async () => {
    const closeHooks = [() => new Promise<void>(() => {})];
    const leaving = lived(left, { parts: { closeHooks }, settings: { closeTimeout: 1 } });
    leaving.leave(result());
    await closed;
    expect(living.reported).toMatchObject([{ code: 'ERR_HANDOFF_TIMEOUT' }]);
  });

  it.each([true, false])(
    'leaves to the next one what that has: the control path, where it inherits it: %s',
    async (inherits) => {
      const pidFile = folder.file('app.pid');
      const control = folder.file('control');
      const leaving = leavingOf(await LivingParts.at(control, left, { settings: { pidFile: new PidFile(pidFile) } }));
      const { parts } = living;
      parts.pidFile.start();
      await parts.estate.listen(createServer(), { path: folder.file('web') });
      const next = heir(inherits);
      leaving.leave(result({ reason: 'handoff' }, next));
      await closed;
      expect(next.successor.drained).toHaveBeenCalledExactlyOnceWith({ ...counts, reason: 'handoff' });
      expect(readFileSync(pidFile, 'utf8')).toBe(`${process.ppid}\n`);
      expect([existsSync(folder.file('web')), existsSync(control)]).toEqual([true, inherits]);
    },
  );

  it('gives the debugger to the one beside it, unless a successor has it', async () => {
    vi.spyOn(debuggerPort, 'address', 'get').mockReturnValue({ host: '127.0.0.1', port: 9229 });
    for (const successor of [null, heir()]) {
      using own = new LivingParts(left);
      const beside = heir();
      own.parts.peers.heir = beside;
      leavingOf(own).leave(result({}, successor));
      await closed;
      expect(beside.successor.drained).toHaveBeenCalledTimes(1);
      expect(beside.successor.passDebugger).toHaveBeenCalledTimes(successor === null ? 1 : 0);
    }
  });

  it('a guest removes no file of those that it came to, and tells its predecessor first', async () => {
    const web = folder.file('web');
    const leave = vi.fn(async () => {
      expect(living.parts.control.is).toBe('held');
    });
    const control = folder.file('control');
    const leaving = leavingOf(await LivingParts.at(control, { ...left, before: 'owner' }));
    living.parts.peers.upstream = { takeover: { leave }, gone: Promise.resolve() } as never;
    await living.parts.estate.listen(createServer(), { path: web });
    leaving.leave(result());
    await closed;
    expect(leave).toHaveBeenCalledTimes(1);
    expect([existsSync(web), existsSync(control)]).toEqual([true, true]);
  });

  it('says what was cut off', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on('warning', listen);
    lived(left).leave(result({ forced: 2 }));
    await closed;
    await new Promise(setImmediate);
    process.off('warning', listen);
    expect(warnings).toMatchObject([
      { code: 'FD_HANDOFF_FORCED', message: expect.stringMatching(/^2 connection.*one request\.$/) },
    ]);
  });

  it('disposes of the listeners for signals only where the process stays: the next signal would kill it', async () => {
    for (const exit of [false, true]) {
      const dispose = vi.fn();
      const signals = { forgetOrders: () => {}, hooksDone: async () => {}, [Symbol.dispose]: dispose };
      using own = new LivingParts(left, { settings: { exit }, parts: { signals: signals as never } });
      leavingOf(own).leave(result());
      await closed;
      expect(dispose).toHaveBeenCalledTimes(exit ? 0 : 1);
    }
  });
});

describe('the exit code', () => {
  it.each<[string, State, Partial<DrainReport>, number[]]>([
    ['0 where everything was finished', left, {}, [0]],
    ['1 where a shutdown has cut something off', left, { forced: 1 }, [1]],
    ['0 where a handoff has: nobody looks after the old process', left, { forced: 1, reason: 'handoff' }, [0]],
    [
      'none where ready() has failed: who has called it ends the process',
      { ...left, told: false },
      { reason: 'called-off' },
      [],
    ],
    ['0 where that one was told to stop besides', left, { reason: 'called-off' }, [0]],
  ])('is %s', async (_, state, report, codes) => {
    const leaving = lived(state, { settings: { exit: true } });
    leaving.leave(result(report));
    await closed;
    await new Promise(setImmediate);
    expect(exits.with).toEqual(codes);
  });
});

describe('those that share', () => {
  it.each([
    [null, 1],
    ['/run/app.sock', 0],
  ])('are looked for when half the time is over; answered at %s', async (path, shortened) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const leaving = lived({ ...stopped, before: 'sharers' }, { settings: { shutdownTimeout: 10_000 } });
    const { control, clock } = living.parts;
    const answered = vi.spyOn(control, 'answeredAt').mockResolvedValue(path);
    const shorten = vi.spyOn(clock, 'shorten');
    leaving.watchSharers();
    await vi.advanceTimersByTimeAsync(4_999);
    expect(answered).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(shorten.mock.calls).toEqual(Array.from({ length: shortened }, () => [5_000]));
  });

  it('are there where the owner or an heir is connected: nobody is asked', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const leaving = lived({ ...stopped, before: 'owner' }, { settings: { shutdownTimeout: 10_000 } });
    const answered = vi.spyOn(living.parts.control, 'answeredAt').mockResolvedValue(null);
    leaving.watchSharers();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(answered).not.toHaveBeenCalled();
  });
});

it('the port that it served on is refused from the end on', async () => {
  const leaving = lived(left);
  const { estate } = living.parts;
  const { place } = await estate.listen(createServer(), { host: '127.0.0.1', port: 0 });
  const port = place.address.port as number;
  leaving.leave(result());
  await closed;
  expect(await refusal(port)).toBe('ECONNREFUSED');
});
