import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { portOf } from '../support/port-of.ts';
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

test('a shutdown that takes longer than drainTimeout cuts off what is left and exits with 1', async () => {
  await using scene = new Scene();
  const program = scene.server({ OPTIONS: '{"drainTimeout":500}' });
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
