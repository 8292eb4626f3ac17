import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { HeldRequest } from '../support/held-request.ts';
import { insist } from '../support/insist.ts';
import { portOf } from '../support/port-of.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

test.each(['SIGTERM', 'SIGINT', 'SIGQUIT'] as const)('%s finishes what is in flight, then leaves', async (signal) => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const slow = ask({ port }, '/?wait=1000');
  await program.event('began');
  program.signal(signal);
  expect(await slow).toMatchObject({ status: 200, servedBy: program.pid });
  expect(await program.exited).toEqual({ code: 0, signal: null });
  await expect(ask({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(existsSync(scene.control)).toBe(false);
});

test('a second SIGTERM is the hammer: what is in flight is cut off, and the exit code says so', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const slow = ask({ port }, '/?wait=20000').catch((error) => error);
  await program.event('began');
  program.signal('SIGTERM');
  await insist(program, 'SIGTERM', program.event('draining'));
  expect(await program.exited).toEqual({ code: 1, signal: null });
  expect(await slow).toBeInstanceOf(Error);
  expect(program.stderr).toContain('cut off');
});

test('a shutdown that takes longer than shutdownTimeout cuts off what is left and exits with 1', async () => {
  await using scene = new Scene();
  const program = scene.server({ OPTIONS: '{"shutdownTimeout":500}' });
  const port = await portOf(program);
  const slow = ask({ port }, '/?wait=20000').catch((error) => error);
  await program.event('began');
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 1, signal: null });
  expect(await slow).toBeInstanceOf(Error);
  expect(await program.event('drain')).toMatchObject({ forced: 1, reason: 'shutdown' });
});

test('an idle connection and one that never spoke do not keep a shutdown waiting', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const silent = connect(port, '127.0.0.1');
  const idle = connect(port, '127.0.0.1');
  idle.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await new Promise((resolve) => idle.once('data', resolve));
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(await program.event('drain')).toMatchObject({ forced: 0 });
  silent.destroy();
  idle.destroy();
});

test('SIGUSR2 as "keep" starts a successor beside this process; both answer until the first is told to leave', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const port = await portOf(first);
  first.signal('SIGUSR2');
  const second = await first.ready(1);
  await first.event('commit', ({ mode }) => mode === 'keep');
  const seen = new Set<number>();
  await expect
    .poll(async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask({ port })));
      for (const { servedBy } of answers) seen.add(servedBy);
      return [...seen].sort();
    })
    .toEqual([first.pid, second.pid].sort());
  first.signal('SIGTERM');
  expect(await first.exited).toEqual({ code: 0, signal: null });
  for (let request = 0; request < 20; request++) expect((await ask({ port })).servedBy).toBe(second.pid);
  // The one that stayed has inherited the control path, and can be replaced through it.
  expect(existsSync(scene.control)).toBe(true);
  const third = scene.server();
  await third.ready(2);
  expect((await ask({ port })).servedBy).toBe(third.pid);
});

test('a signal that fails to replace the process is a warning, not the end', async () => {
  await using scene = new Scene();
  const program = scene.server({ OPTIONS: '{"readyTimeout":1}' });
  const port = await portOf(program);
  program.signal('SIGHUP');
  expect(await program.event('error')).toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
  expect((await ask({ port })).servedBy).toBe(program.pid);
});

test('SIGTERM while a successor is on its way: this process leaves, and the successor with it', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const hanging = scene.server({ BEHAVIOUR: 'hang' });
  await hanging.event('hanging');
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  await expect(ask({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

/** Sends them as launchers do that pass on what the process has got as well: some milliseconds apart. */
async function signalTogether(program: Program, signals: readonly NodeJS.Signals[]): Promise<void> {
  for (const signal of signals) {
    program.signal(signal);
    await delay(10);
  }
}

describe('one order that comes as several signals', () => {
  test.each<[string, NodeJS.Signals[], object]>([
    ['npm with bash, concurrently, nodemon: one Ctrl-C', ['SIGINT', 'SIGINT'], {}],
    ['a whole process group and a supervisor', ['SIGTERM', 'SIGTERM', 'SIGTERM'], {}],
    ['a terminal and a launcher that says it in its own way', ['SIGINT', 'SIGTERM', 'SIGQUIT'], {}],
    ['SendSIGHUP= of systemd', ['SIGTERM', 'SIGHUP', 'SIGTERM'], {}],
    ['before a delay is over', ['SIGTERM', 'SIGTERM'], { shutdownDelay: 500 }],
    ['with hooks that take their time', ['SIGINT', 'SIGINT'], { hook: true }],
  ])('%s: what is in flight is finished', async (_, signals, { hook, ...options }: { hook?: true }) => {
    await using scene = new Scene();
    const program = scene.daemon({
      OPTIONS: JSON.stringify(options),
      ...(hook ? { HOOKS: '{"SIGINT":"slow"}' } : {}),
    });
    using held = await HeldRequest.open(await portOf(program));
    await signalTogether(program, signals);
    await program.event('draining');
    expect((await held.release()).status).toBe(200);
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(await program.event('drain')).toMatchObject({ forced: 0 });
    expect(program.told.filter(({ event }) => event === 'error')).toEqual([]);
  });

  test('a stop of everything, in a process that was replaced already: it finishes what it has', async () => {
    await using scene = new Scene();
    const program = scene.daemon();
    using held = await HeldRequest.open(await portOf(program));
    program.signal('SIGHUP');
    await program.event('commit');
    await signalTogether(program, ['SIGTERM', 'SIGTERM']);
    expect((await held.release()).servedBy).toBe(program.pid);
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });

  test.each([
    ['SIGHUP', 'replace'],
    ['SIGUSR2', 'keep'],
  ] as const)('%s is one successor, and no error', async (signal, mode) => {
    await using scene = new Scene();
    const program = scene.daemon();
    const port = await portOf(program);
    await signalTogether(program, [signal, signal, signal]);
    const second = await program.ready(1);
    await program.event('commit', (told) => told.mode === mode);
    if (mode === 'replace') expect(await program.exited).toEqual({ code: 0, signal: null });
    expect((await ask({ port })).status).toBe(200);
    const starting = program.told.filter(({ event }) => event === 'starting').map(({ pid }) => pid);
    expect(starting).toEqual([program.pid, second.pid]);
    expect(program.told.filter(({ event }) => event === 'error')).toEqual([]);
  });

  test('a re-exec is one', async () => {
    await using scene = new Scene();
    const program = scene.daemon({ OPTIONS: '{"signals":{"SIGHUP":"reexec"}}' });
    const port = await portOf(program);
    await signalTogether(program, ['SIGHUP', 'SIGHUP']);
    await program.ready(1);
    expect((await ask({ port })).servedBy).toBe(program.pid);
    expect(program.told.filter(({ event }) => event === 'error')).toEqual([]);
  });

  test('SIGHUP to a paused process brings it back, and replaces nothing', async () => {
    await using scene = new Scene();
    const program = scene.daemon({ OPTIONS: '{"signals":"nginx"}' });
    const port = await portOf(program);
    program.signal('SIGWINCH');
    await program.event('pause');
    await signalTogether(program, ['SIGHUP', 'SIGHUP']);
    await program.event('resume');
    expect((await ask({ port })).servedBy).toBe(program.pid);
    expect(program.told.filter(({ event }) => event === 'starting')).toHaveLength(1);
  });

  test('with repeatWithin: 0 the second is the hammer at once', async () => {
    await using scene = new Scene();
    const program = scene.daemon({ OPTIONS: '{"repeatWithin":0}' });
    const slow = ask({ port: await portOf(program) }, '/?wait=600000').catch(({ code }) => code);
    await program.event('began');
    program.signal('SIGTERM');
    await program.event('draining');
    program.signal('SIGTERM');
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(await slow).toBe('ECONNRESET');
  });
});

test('SIGUSR2 is not of the default preset: nodemon ends a program by it', async () => {
  await using scene = new Scene();
  const program = scene.daemon({ OPTIONS: '{"signals":"default"}' });
  await program.ready(0);
  program.signal('SIGUSR2');
  expect(await program.exited).toEqual({ code: null, signal: 'SIGUSR2' });
});

test('two SIGHUP at once are one upgrade', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  program.signal('SIGHUP');
  program.signal('SIGHUP');
  const second = await program.ready(1);
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(second.pid);
  expect(program.told.filter(({ event }) => event === 'error')).toEqual([]);
  expect(program.told.filter(({ event }) => event === 'starting')).toHaveLength(2);
});

test('SIGHUP during an upgrade is reported, and nothing else', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const hanging = scene.server({ BEHAVIOUR: 'hang' });
  await hanging.event('hanging');
  const offers = () => program.told.filter(({ event }) => event === 'offer').length;
  await program.event('offer', ({ phase }) => phase === 'state-sent');
  const before = offers();
  program.signal('SIGHUP');
  expect(await program.event('error')).toMatchObject({ code: 'ERR_HANDOFF_BUSY' });
  expect((await ask({ port })).servedBy).toBe(program.pid);
  expect(offers()).toBe(before);
  hanging.signal('SIGKILL');
  await program.event('rollback');
  program.signal('SIGHUP');
  await program.ready(1);
});

test('SIGHUP and SIGTERM at once: the process leaves', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  program.signal('SIGHUP');
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  await expect(ask({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(existsSync(scene.control)).toBe(false);
});

test('a signal before ready() is reported, except one to stop', async () => {
  await using scene = new Scene();
  const program = scene.server({ BEHAVIOUR: 'hang' });
  await program.event('hanging');
  program.signal('SIGHUP');
  expect(await program.event('error')).toMatchObject({ code: 'ERR_HANDOFF_NOT_READY' });
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
});

test('SIGHUP can replace the image in place', async () => {
  await using scene = new Scene();
  const program = scene.server({ OPTIONS: '{"signals":{"SIGHUP":"reexec"}}' });
  const port = await portOf(program);
  program.signal('SIGHUP');
  expect((await program.ready(1)).pid).toBe(program.pid);
  expect((await ask({ port })).servedBy).toBe(program.pid);
});

test('a hook that fails before SIGHUP keeps the process; one before SIGTERM does not', async () => {
  await using scene = new Scene();
  const program = scene.server({ HOOKS: '{"SIGHUP":"throw-before","SIGTERM":"throw-before"}' });
  const port = await portOf(program);
  program.signal('SIGHUP');
  await program.event('hook-after', ({ signal }) => signal === 'SIGHUP');
  const errors = program.told.filter(({ event }) => event === 'error');
  expect(errors).toMatchObject([{ message: 'the hook before SIGHUP' }, { code: 'ERR_HANDOFF_ABORTED' }]);
  expect((await ask({ port })).servedBy).toBe(program.pid);
  expect(program.told.filter(({ event }) => event === 'starting')).toHaveLength(1);
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  // It leaves when its hooks are done.
  await program.event('hook-after', ({ signal }) => signal === 'SIGTERM');
});

test('a function gets the process and the signal; one that throws or rejects is reported', async () => {
  await using scene = new Scene();
  const source = `
    import { handoff, signalPresets } from 'fd-handoff';
    const tell = (event, details) => console.log(JSON.stringify({ event, pid: process.pid, ...details }));
    const app = await handoff({
      signals: {
        ...signalPresets.endless,
        SIGUSR1: (app, signal) => tell('called', { generation: app.generation, signal }),
        SIGUSR2: () => { throw new Error('thrown'); },
        SIGHUP: async () => { throw new Error('rejected'); },
      },
    });
    app.on('error', ({ message }) => tell('error', { message }));
    setInterval(() => {}, 1000);
    await app.ready();
    tell('ready', { generation: 0 });
  `;
  const program = scene.add(new Program(process.execPath, ['--input-type=module', '-e', source], {}));
  await program.ready(0);
  program.signal('SIGUSR1');
  expect(await program.event('called')).toMatchObject({ generation: 0, signal: 'SIGUSR1' });
  program.signal('SIGUSR2');
  await program.event('error', ({ message }) => message === 'thrown');
  program.signal('SIGHUP');
  await program.event('error', ({ message }) => message === 'rejected');
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
});
