import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { LoadClient } from '../../bench/load-client.ts';
import { ask, askJson } from '../support/ask.ts';
import { eventually } from '../support/eventually.ts';
import { LineClient } from '../support/line-client.ts';
import { portOf } from '../support/port-of.ts';
import { Program } from '../support/program.ts';
import { RawClient } from '../support/raw-client.ts';
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
  // Nothing and a folder are found out at once, what is no program by execve(2) alone, when everything is stopped.
  const noProgram = join(scene.folder, 'no-program');
  writeFileSync(noProgram, 'neither a binary nor a script', { mode: 0o755 });
  for (const command of ['/no/such/program', scene.folder, noProgram]) {
    await ask({ port }, '/admin/reexec', { command, preflight: false });
    await program.event('reexec-failed', ({ message }) => String(message).includes(command));
    expect((await ask({ port })).servedBy).toBe(program.pid);
  }
  expect(program.told.filter(({ event }) => event === 'reexec-failed')).toMatchObject([
    { code: 'ERR_HANDOFF_EXEC_FAILED' },
    { code: 'ERR_HANDOFF_EXEC_FAILED' },
    { code: 'ERR_HANDOFF_EXEC_FAILED', message: expect.stringContaining('ENOEXEC') },
  ]);
  await expect.poll(() => readdirSync(`/proc/${program.pid}/fd`).length).toBeLessThanOrEqual(before);
  await ask({ port }, '/admin/reexec', {});
  await program.ready(1);
});

test('a request in flight is finished first, and whoever connects meanwhile is answered by the next image', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const slow = ask({ port }, '/?wait=1500');
  await program.event('began');
  await ask({ port }, '/admin/reexec', {});
  await program.event('draining');
  const waiting = askJson<{ pid: number; generation: number }>({ port }, '/admin/status');
  expect(await slow).toMatchObject({ status: 200, servedBy: program.pid });
  expect(await waiting).toMatchObject({ pid: program.pid, generation: 1 });
});

test('a request that takes longer than the drain may is cut off at its deadline', async () => {
  await using scene = new Scene();
  const program = scene.server({ OPTIONS: '{"shutdownTimeout":300}' });
  const port = await portOf(program);
  const endless = ask({ port }, '/?wait=60000').catch(({ code }) => code);
  await program.event('began');
  await ask({ port }, '/admin/reexec', {});
  expect((await program.ready(1)).pid).toBe(program.pid);
  expect(await endless).toBe('ECONNRESET');
});

test('an idle connection goes on in the next image', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  using client = await RawClient.connect(port);
  for (let generation = 0; generation <= 2; generation++) {
    client.send('GET /admin/status HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.until(`"generation":${generation},`);
    await ask({ port }, '/admin/reexec', {});
    await program.ready(generation + 1);
  }
  expect(client.socket.closed).toBe(false);
});

test('connections that the application moves go on in the next image: every line once and in order', async () => {
  await using scene = new Scene();
  const file = fileURLToPath(new URL('programs/lines.js', import.meta.url));
  const env = { CONTROL: scene.control, SIGNALS: '{"SIGHUP":"reexec"}', TICK: '50' };
  const program = scene.add(new Program(process.execPath, [file], env));
  const target = { port: (await program.ready(0)).port as number };
  const clients = await Promise.all(Array.from({ length: 50 }, () => LineClient.connect(target)));
  for (let generation = 1; generation <= 3; generation++) {
    for (const client of clients) client.say();
    program.signal('SIGHUP');
    await program.ready(generation);
  }
  await Promise.all(clients.map((client) => client.settled()));
  for (const client of clients) {
    expect(await client.ask()).toBe(program.pid);
    expect(client.faults).toEqual([]);
    client[Symbol.dispose]();
  }
});

/** How long Node takes to start and do nothing: the least that the service can pause. Milliseconds. */
function bareStarts(): { median: number; longest: number } {
  const times = Array.from({ length: 9 }, () => {
    const begun = performance.now();
    execFileSync(process.execPath, ['-e', '']);
    return Math.round(performance.now() - begun);
  }).sort((one, other) => one - other);
  return { median: times[4] as number, longest: times[8] as number };
}

test('50 times in a row under strict load: the same pid, 0 failed, 0 connections closed, no descriptor more', {
  timeout: 300_000,
}, async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const open = () => readdirSync(`/proc/${program.pid}/fd`).length;
  await ask({ port }, '/admin/reexec', {});
  await program.ready(1);
  const before = open();
  const target = `http://127.0.0.1:${port}/`;
  const loads = [
    new LoadClient({ target, clients: 50, mode: 'keep-alive', loop: { kind: 'closed', pause: 20 } }),
    new LoadClient({ target, clients: 5, mode: 'new-connection', loop: { kind: 'closed', pause: 20 } }),
  ];
  for (const load of loads) load.start();
  for (let generation = 2; generation <= 51; generation++) {
    await ask({ port }, '/admin/reexec', {});
    expect((await program.ready(generation)).pid).toBe(program.pid);
  }
  const [keepAlive, newConnection] = await Promise.all(loads.map((load) => load.stop()));
  const { median, longest } = bareStarts();
  const pause = Math.round(keepAlive?.total.longestGap ?? 0);
  console.log(
    `50 re-execs: ${keepAlive?.total.requests} requests kept alive and ${newConnection?.total.requests} on new connections; ` +
      `longest gap ${pause} ms; a bare start of node: median ${median} ms, longest ${longest} ms`,
  );
  expect([...(keepAlive?.examples ?? []), ...(newConnection?.examples ?? [])]).toEqual([]);
  expect(keepAlive?.total.connections).toEqual({ opened: 50, closedAnnounced: 0, closedUnannounced: 0 });
  // The connections go when their clients do.
  await eventually(() => open() <= before, open);
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
