import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LoadClient } from '../../bench/load-client.ts';
import { ask } from '../support/ask.ts';
import { portOf } from '../support/port-of.ts';
import { Scene } from '../support/scene.ts';

test('reexec() keeps the pid, the port, the state and the control path', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  for (let generation = 1; generation <= 5; generation++) {
    await ask({ port }, '/admin/reexec', {});
    const ready = await program.ready(generation);
    expect(ready).toMatchObject({ pid: program.pid, counter: generation, restored: true });
    expect((await ask({ port })).servedBy).toBe(program.pid);
  }
  const next = scene.server();
  expect(await next.ready(6)).toMatchObject({ predecessor: { pid: program.pid, generation: 5 } });
  expect(await program.exited).toEqual({ code: 0, signal: null });
});

test('an exec that fails leaves the process serving, with nothing leaked', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const before = readdirSync(`/proc/${program.pid}/fd`).length;
  for (const command of ['/no/such/program', scene.folder]) {
    await ask({ port }, '/admin/reexec', { command, preflight: false });
    await program.event('reexec-failed', ({ message }) => String(message).includes(command));
    expect((await ask({ port })).servedBy).toBe(program.pid);
  }
  expect(program.told.filter(({ event }) => event === 'reexec-failed')).toMatchObject([
    { code: 'ERR_HANDOFF_EXEC_FAILED' },
    { code: 'ERR_HANDOFF_EXEC_FAILED' },
  ]);
  await expect.poll(() => readdirSync(`/proc/${program.pid}/fd`).length).toBeLessThanOrEqual(before);
  await ask({ port }, '/admin/reexec', {});
  await program.ready(1);
});

test('50 times in a row under strict load: the same pid, 0 failed, 0 connections closed, no descriptor more', {
  timeout: 300_000,
}, async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const target = `http://127.0.0.1:${port}/`;
  const loads = [
    new LoadClient({ target, clients: 50, mode: 'keep-alive', loop: { kind: 'closed', pause: 20 } }),
    new LoadClient({ target, clients: 5, mode: 'new-connection', loop: { kind: 'closed', pause: 20 } }),
  ];
  for (const load of loads) load.start();
  let before = 0;
  for (let generation = 1; generation <= 50; generation++) {
    await ask({ port }, '/admin/reexec', {});
    expect((await program.ready(generation)).pid).toBe(program.pid);
    // By now every client has its connection.
    if (generation === 10) before = readdirSync(`/proc/${program.pid}/fd`).length;
  }
  const after = readdirSync(`/proc/${program.pid}/fd`).length;
  const [keepAlive, newConnection] = await Promise.all(loads.map((load) => load.stop()));
  const bare = performance.now();
  execFileSync(process.execPath, ['-e', '']);
  console.log(
    JSON.stringify({
      requests: [keepAlive?.total.requests, newConnection?.total.requests],
      longestGap: Math.round(keepAlive?.total.longestGap ?? 0),
      bareStart: Math.round(performance.now() - bare),
    }),
  );
  expect([...(keepAlive?.examples ?? []), ...(newConnection?.examples ?? [])]).toEqual([]);
  expect(keepAlive?.total.connections).toEqual({ opened: 50, closedAnnounced: 0, closedUnannounced: 0 });
  // Those of the five clients without keep-alive come and go.
  expect(after - before).toBeLessThan(10);
});

test('an exec that fails gives back the connections that it had set aside', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const load = new LoadClient({
    target: `http://127.0.0.1:${port}/`,
    clients: 20,
    mode: 'keep-alive',
    loop: { kind: 'closed', pause: 5 },
  });
  load.start();
  await ask({ port });
  for (let attempt = 1; attempt <= 5; attempt++) {
    await ask({ port }, '/admin/reexec', { command: '/no/such/program', preflight: false });
    await expect.poll(() => program.told.filter(({ event }) => event === 'reexec-failed').length).toBe(attempt);
  }
  const { total, examples } = await load.stop();
  expect(examples).toEqual([]);
  expect(total.connections).toEqual({ opened: 20, closedAnnounced: 0, closedUnannounced: 0 });
});
