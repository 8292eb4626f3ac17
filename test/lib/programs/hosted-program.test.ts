import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HostedProgram, type HostPlan } from '../../../lib/programs/hosted-program.ts';
import { drainOrder } from '../../support/drain-order.ts';
import { eventually } from '../../support/eventually.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { isAlive } from '../../support/processes.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

/** Writes its pid down, is ready unless `hang` is there, and says what stops it. */
const script = `
  echo $$ >> pids
  trap 'echo term >> signals; [ -e stays ] || exit 0' TERM
  trap 'echo quit >> signals; exit 4' QUIT
  trap 'echo hup >> signals' HUP
  [ -e fail ] && exit 3
  [ -e hang ] || echo >&$FD_HANDOFF_READY_FD
  while :; do sleep 0.01; done`;

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let reported: Error[];
let program: HostedProgram;

function plan(changes: Partial<HostPlan> = {}): HostPlan {
  return {
    command: '/bin/sh',
    args: ['-c', script],
    env: process.env,
    cwd: folder.path,
    choose: (all) => all,
    convention: 'systemd',
    readiness: { by: 'word' },
    readyNumber: null,
    readyTimeout: 30_000,
    stopSignal: 'SIGTERM',
    stopTimeout: 30_000,
    orphanTimeout: 30_000,
    descriptors: () => [],
    stderr: () => 2,
    ...changes,
  };
}

function host(changes?: Partial<HostPlan>): HostedProgram {
  program = new HostedProgram(plan(changes), (error) => reported.push(error));
  return program;
}

function pids(): number[] {
  const file = folder.file('pids');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [];
}

function signals(): string[] {
  return existsSync(folder.file('signals')) ? readFileSync(folder.file('signals'), 'utf8').trim().split('\n') : [];
}

beforeEach(() => {
  process.stderr.write('');
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  reported = [];
});
afterEach(async () => {
  await program.drain(drainOrder({ total: 0 }));
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

describe('a program that another process runs', () => {
  it('is told to stop by a drain, which waits for it', async () => {
    await host().start();
    expect(program.pid).toBe(pids()[0]);
    expect(await program.drain(drainOrder())).toEqual({ how: 'drained', counts: { moved: 0, drained: 0, forced: 0 } });
    expect(signals()).toEqual(['term']);
    expect(program.exit).toEqual({ code: 0, signal: null });
    expect(program.pid).toBeNull();
  });

  it('is told by the signal that was chosen last, and passes others on', async () => {
    await host().start();
    program.signal('SIGHUP');
    await eventually(() => signals().includes('hup'));
    program.stopSignal = 'SIGQUIT';
    await program.drain(drainOrder());
    expect(signals()).toEqual(['hup', 'quit']);
    expect(program.exit).toEqual({ code: 4, signal: null });
  });

  it.each([
    ['when its own time is over', { stopTimeout: 50 }, {}],
    ['when that of the drain is over', {}, { total: 50 }],
  ])('is killed where it does not stop %s', async (_when, changes, limits) => {
    writeFileSync(folder.file('stays'), '');
    await host(changes).start();
    expect(await program.drain(drainOrder(limits))).toMatchObject({ counts: { forced: 1 } });
    expect(program.exit).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('is killed by force', async () => {
    writeFileSync(folder.file('stays'), '');
    await host().start();
    const force = new AbortController();
    const drained = program.drain(drainOrder({}, force.signal));
    await eventually(() => signals().includes('term'));
    force.abort();
    expect(await drained).toMatchObject({ counts: { forced: 1 } });
  });

  it('is started again where the drain is taken back', async () => {
    writeFileSync(folder.file('stays'), '');
    await host().start();
    const cancel = new AbortController();
    const drained = program.drain(drainOrder({}, undefined, cancel.signal));
    cancel.abort();
    expect(await drained).toEqual({ how: 'cancelled' });
    program.serveAgain();
    await eventually(() => program.pid !== null);
    const [first, second] = pids() as [number, number];
    expect(program.pid).toBe(second);
    // The first one still finishes what it has.
    expect(isAlive(first)).toBe(true);
    await program.drain(drainOrder({ total: 50 }));
    expect([first, second].filter(isAlive)).toEqual([]);
  });

  it('tells of an end that nobody has ordered, and of a start that failed when it was to serve again', async () => {
    await host().start();
    process.kill(program.pid as number, 'SIGKILL');
    expect(await program.lost).toEqual({ code: null, signal: 'SIGKILL' });
    expect(program.pid).toBeNull();

    await host().start();
    await program.drain(drainOrder());
    writeFileSync(folder.file('fail'), '');
    program.serveAgain();
    expect(await program.lost).toEqual({ code: 0, signal: null });
    expect(reported).toEqual([expect.objectContaining({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED', exitCode: 3 })]);
  });

  it('is gone when it was not ready', async () => {
    writeFileSync(folder.file('fail'), '');
    await expect(host().start()).rejects.toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED', exitCode: 3 });
    rmSync(folder.file('fail'));
    writeFileSync(folder.file('hang'), '');
    await expect(host({ readyTimeout: 200 }).start()).rejects.toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
    expect(pids().filter(isAlive)).toEqual([]);
  });

  it('is ended in the middle of its start, by a drain', async () => {
    writeFileSync(folder.file('hang'), '');
    const starting = host().start();
    await eventually(() => pids().length === 1);
    const [drained] = await Promise.all([
      program.drain(drainOrder()),
      expect(starting).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' }),
    ]);
    expect(drained.how).toBe('drained');
    expect(pids().filter(isAlive)).toEqual([]);
  });

  it('is only looked for in a rehearsal', () => {
    expect(host().rehearse()).toBe(program);
    expect(() => host({ command: 'no-such-program-anywhere' }).rehearse()).toThrow(
      expect.objectContaining({ code: 'ERR_HANDOFF_EXEC_FAILED' }),
    );
    expect(pids()).toEqual([]);
  });
});
