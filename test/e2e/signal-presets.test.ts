import { describe, expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { HeldRequest } from '../support/held-request.ts';
import { insist } from '../support/insist.ts';
import { portOf } from '../support/port-of.ts';
import { stateOf } from '../support/processes.ts';
import type { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

// Each preset does what its original does; what the originals do is in docs/signals.md, with where to read it.

function serverWith(scene: Scene, preset: string, env: NodeJS.ProcessEnv = {}): Program {
  return scene.daemon({ OPTIONS: JSON.stringify({ signals: preset }), ...env });
}

/** New requests are answered by these processes, each of them in its turn, and by no other. */
async function expectServedBy(port: number, ...pids: number[]): Promise<void> {
  const seen = new Set<number>();
  await expect
    .poll(async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask({ port })));
      for (const { servedBy } of answers) seen.add(servedBy);
      return [...seen].sort();
    })
    .toEqual(pids.sort());
}

/** Begins a request that takes longer than any test; `end` resolves with the code of the error that it ends with. */
async function endlessRequest(program: Program): Promise<{ end: Promise<unknown> }> {
  const end = ask({ port: await portOf(program) }, '/?wait=600000').catch(({ code }) => code);
  await program.event('began');
  return { end };
}

async function expectReplaced(scene: Scene, preset: string, signal: NodeJS.Signals): Promise<void> {
  const first = serverWith(scene, preset);
  const port = await portOf(first);
  using held = await HeldRequest.open(port);
  first.signal(signal);
  const second = await first.ready(1);
  await first.event('commit', ({ mode }) => mode === 'replace');
  await expectServedBy(port, second.pid);
  expect((await held.release()).servedBy).toBe(first.pid);
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(second.pid);
}

async function expectKept(scene: Scene, preset: string, signal: NodeJS.Signals): Promise<void> {
  const first = serverWith(scene, preset);
  const port = await portOf(first);
  first.signal(signal);
  const second = await first.ready(1);
  await first.event('commit', ({ mode }) => mode === 'keep');
  await expectServedBy(port, first.pid, second.pid);
}

async function expectFinished(scene: Scene, preset: string, signal: NodeJS.Signals): Promise<void> {
  const program = serverWith(scene, preset);
  const port = await portOf(program);
  using held = await HeldRequest.open(port);
  program.signal(signal);
  await program.event('draining');
  await expect.poll(() => ask({ port }).catch(({ code }) => code)).toBe('ECONNREFUSED');
  expect((await held.release()).status).toBe(200);
  expect(await program.exited).toEqual({ code: 0, signal: null });
}

async function expectCutOff(scene: Scene, preset: string, signal: NodeJS.Signals): Promise<void> {
  const program = serverWith(scene, preset);
  const { end } = await endlessRequest(program);
  program.signal(signal);
  expect(await program.exited).toEqual({ code: 1, signal: null });
  expect(await program.event('drain')).toMatchObject({ forced: 1 });
  expect(await end).toBe('ECONNRESET');
}

describe('endless', () => {
  test('SIGHUP forks and restarts', async () => {
    await using scene = new Scene();
    await expectReplaced(scene, 'endless', 'SIGHUP');
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s shuts down after finishing requests', async (signal) => {
    await using scene = new Scene();
    await expectFinished(scene, 'endless', signal);
  });

  test('SIGUSR1 and SIGTSTP do nothing but their hooks, and SIGUSR2 nothing to a process that serves', async () => {
    await using scene = new Scene();
    const hooks = { SIGUSR1: '', SIGTSTP: '', SIGUSR2: '', SIGHUP: '' };
    const program = serverWith(scene, 'endless', { HOOKS: JSON.stringify(hooks) });
    const port = await portOf(program);
    for (const signal of ['SIGUSR1', 'SIGTSTP', 'SIGUSR2'] as const) {
      program.signal(signal);
      await program.event('hook-before', (told) => told.signal === signal);
      await program.event('hook-after', (told) => told.signal === signal);
      expect(stateOf(program.pid)).not.toBe('T');
      expect((await ask({ port })).servedBy).toBe(program.pid);
    }
    // Node's own answer to SIGUSR1 would have been "Debugger listening on …".
    expect(program.stderr).toBe('');
    program.signal('SIGHUP');
    await program.event('hook-after', (told) => told.signal === 'SIGHUP');
    const order = program.told.map(({ event }) => event);
    expect(order.lastIndexOf('hook-before')).toBeLessThan(order.indexOf('commit'));
    expect(order.lastIndexOf('hook-after')).toBeGreaterThan(order.indexOf('commit'));
  });

  test('SIGUSR2 is the hammer for a process that shuts down', async () => {
    await using scene = new Scene();
    const program = serverWith(scene, 'endless');
    const { end } = await endlessRequest(program);
    program.signal('SIGTERM');
    await program.event('draining');
    program.signal('SIGUSR2');
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(await program.event('drain')).toMatchObject({ forced: 1 });
    expect(await end).toBe('ECONNRESET');
  });

  test('SIGUSR2 is the hammer for one that was replaced, too', async () => {
    await using scene = new Scene();
    const first = serverWith(scene, 'endless');
    const port = await portOf(first);
    const { end } = await endlessRequest(first);
    first.signal('SIGHUP');
    const second = await first.ready(1);
    await first.event('draining');
    first.signal('SIGUSR2');
    expect(await first.exited).toEqual({ code: 0, signal: null });
    expect(await end).toBe('ECONNRESET');
    expect((await ask({ port })).servedBy).toBe(second.pid);
  });
});

describe('grace', () => {
  test('SIGUSR2 restarts', async () => {
    await using scene = new Scene();
    await expectReplaced(scene, 'grace', 'SIGUSR2');
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s terminates gracefully', async (signal) => {
    await using scene = new Scene();
    await expectFinished(scene, 'grace', signal);
  });

  test('a second one ends it at once, unless it comes within a second', async () => {
    await using scene = new Scene();
    const program = serverWith(scene, 'grace');
    const { end } = await endlessRequest(program);
    program.signal('SIGTERM');
    await insist(program, 'SIGINT', program.event('draining'));
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(await end).toBe('ECONNRESET');
  });

  test('SIGHUP is not its own: it ends the process', async () => {
    await using scene = new Scene();
    const program = serverWith(scene, 'grace');
    await program.ready(0);
    program.signal('SIGHUP');
    expect(await program.exited).toEqual({ code: null, signal: 'SIGHUP' });
  });
});

describe('teleport', () => {
  test('SIGUSR2 forks a process beside this one', async () => {
    await using scene = new Scene();
    await expectKept(scene, 'teleport', 'SIGUSR2');
  });

  test('SIGHUP forks, and shuts down gracefully', async () => {
    await using scene = new Scene();
    await expectReplaced(scene, 'teleport', 'SIGHUP');
  });

  test('SIGQUIT shuts down gracefully', async () => {
    await using scene = new Scene();
    await expectFinished(scene, 'teleport', 'SIGQUIT');
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('%s exits immediately', async (signal) => {
    await using scene = new Scene();
    await expectCutOff(scene, 'teleport', signal);
  });

  test('SIGUSR1 writes what it is doing to standard error, in one line', async () => {
    await using scene = new Scene();
    const program = serverWith(scene, 'teleport');
    const port = await portOf(program);
    program.signal('SIGUSR1');
    await expect.poll(() => program.stderr).toMatch(/^.+\n$/);
    expect(JSON.parse(program.stderr)).toMatchObject({ pid: program.pid, phase: 'serving', listeners: [{ port }] });
  });
});

describe('nginx', () => {
  test('SIGHUP brings the new version, and lets the old one finish', async () => {
    await using scene = new Scene();
    await expectReplaced(scene, 'nginx', 'SIGHUP');
  });

  test('SIGQUIT shuts down gracefully', async () => {
    await using scene = new Scene();
    await expectFinished(scene, 'nginx', 'SIGQUIT');
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('%s is the fast shutdown', async (signal) => {
    await using scene = new Scene();
    await expectCutOff(scene, 'nginx', signal);
  });

  test('SIGUSR1 reopens the log files, which are the application’s', async () => {
    await using scene = new Scene();
    const program = serverWith(scene, 'nginx');
    const port = await portOf(program);
    program.signal('SIGUSR1');
    expect(await program.event('reopen')).toMatchObject({ signal: 'SIGUSR1' });
    expect((await ask({ port })).servedBy).toBe(program.pid);
  });

  test('SIGUSR2, SIGWINCH, and then SIGQUIT: the upgrade of its manual', async () => {
    await using scene = new Scene();
    const first = serverWith(scene, 'nginx');
    const port = await portOf(first);
    first.signal('SIGUSR2');
    const second = await first.ready(1);
    await first.event('commit', ({ mode }) => mode === 'keep');
    first.signal('SIGWINCH');
    await first.event('pause');
    await expectServedBy(port, second.pid);
    first.signal('SIGQUIT');
    expect(await first.exited).toEqual({ code: 0, signal: null });
    await expectServedBy(port, second.pid);
  });

  test('SIGHUP to the old one, and then SIGQUIT to the new one: the way back of its manual', async () => {
    await using scene = new Scene();
    const first = serverWith(scene, 'nginx');
    const port = await portOf(first);
    first.signal('SIGUSR2');
    const second = await first.ready(1);
    await first.event('commit', ({ mode }) => mode === 'keep');
    first.signal('SIGWINCH');
    await first.event('pause');
    first.signal('SIGHUP');
    await first.event('resume');
    await expectServedBy(port, first.pid, second.pid);
    first.signal('SIGQUIT', second.pid);
    await first.event('drain', ({ pid }) => pid === second.pid);
    await expectServedBy(port, first.pid);
  });
});
