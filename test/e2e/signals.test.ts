import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
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
  await program.event('draining');
  program.signal('SIGTERM');
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

test('SIGUSR2 starts a successor beside this process; both answer until the first is told to leave', async () => {
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

test('two SIGHUP at once are one upgrade', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  program.signal('SIGHUP');
  program.signal('SIGHUP');
  const second = await program.ready(1);
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(second.pid);
  // The kernel may have made one of the two; where it has not, the second came during the first.
  for (const { code } of program.told.filter(({ event }) => event === 'error')) expect(code).toBe('ERR_HANDOFF_BUSY');
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
