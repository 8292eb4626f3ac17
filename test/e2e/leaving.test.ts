import { existsSync } from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ask, askJson } from '../support/ask.ts';
import { insist } from '../support/insist.ts';
import { portOf } from '../support/port-of.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

/** Reads an answer slowly: a piece, a pause, a piece. Resolves with how many bytes came until the end. */
async function readSlowly(port: number, began: () => void): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  let bytes = 0;
  for await (const chunk of socket) {
    bytes += (chunk as Buffer).length;
    began();
    // What is slow about the client: the kernel's buffers fill, and the server cannot write what it has.
    await delay(5);
  }
  return bytes;
}

const whole = 24 * 1024 * 1024;

test.each(['SIGTERM', 'SIGHUP'] as const)('%s: an answer that a client still reads is not cut off', async (signal) => {
  await using scene = new Scene();
  const program = scene.server({ OPTIONS: '{"shutdownTimeout":60000}' });
  const port = await portOf(program);
  const begun = new Promise<void>((resolve) => {
    void readSlowly(port, resolve).then((bytes) => {
      total = bytes;
    });
  });
  let total = 0;
  await begun;
  program.signal(signal);
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(await program.event('drain')).toMatchObject({ forced: 0 });
  await expect.poll(() => total, { timeout: 30_000 }).toBeGreaterThan(whole);
});

const beside: { who: string; how: (scene: Scene, owner: Program, env: NodeJS.ProcessEnv) => Promise<number> }[] = [
  {
    who: 'a sharer',
    how: async (scene, _owner, env) => {
      const sharer = scene.server({ ...env, OPTIONS: '{"share":true}' });
      return (await sharer.event('ready')).pid;
    },
  },
  {
    who: 'a successor beside the owner',
    how: async (_scene, owner) => {
      owner.signal('SIGUSR2');
      return (await owner.ready(1)).pid;
    },
  },
  {
    who: 'a successor that is not ready yet',
    how: async (scene, _owner, env) => {
      const successor = scene.server({ ...env, BEHAVIOUR: 'hang' });
      return (await successor.event('hanging')).pid;
    },
  },
];

test.each(beside)('$who that is told to stop leaves the files of the owner alone', async ({ how }) => {
  await using scene = new Scene();
  const path = join(scene.folder, 'web.sock');
  const env = { LISTENERS: JSON.stringify([{ path }]) };
  const owner = scene.server(env);
  await owner.ready(0);
  const pid = await how(scene, owner, env);
  process.kill(pid, 'SIGTERM');
  await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
  expect({ web: existsSync(path), control: existsSync(scene.control) }).toEqual({ web: true, control: true });
  expect((await ask({ socketPath: path })).servedBy).toBe(owner.pid);
  await scene.server(env).ready(1);
});

test('a shutdown refuses whoever connects at once, while it finishes what is in flight', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const slow = ask({ port }, '/?wait=1500');
  await program.event('began');
  program.signal('SIGTERM');
  await program.event('told-to-stop');
  await expect(ask({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  // And the path is free: the next one starts at once.
  await scene.server({ LISTENERS: JSON.stringify([{ port }]) }).ready(0);
  expect((await slow).servedBy).toBe(program.pid);
});

test('a successor that comes while a process announces its end is let through, and nothing stops', async () => {
  await using scene = new Scene();
  const first = scene.server({ OPTIONS: '{"shutdownDelay":600000}' });
  const port = await portOf(first);
  first.signal('SIGTERM');
  await first.event('told-to-stop');
  expect((await ask({ port })).servedBy).toBe(first.pid);
  const second = scene.server({ LISTENERS: JSON.stringify([{ port }]) });
  await second.ready(1);
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(second.pid);
});

test('told to stop again, a process does not wait for the load balancer any longer', async () => {
  await using scene = new Scene();
  const program = scene.server({ OPTIONS: '{"shutdownDelay":600000}' });
  const port = await portOf(program);
  program.signal('SIGTERM');
  await program.event('told-to-stop');
  expect((await ask({ port })).servedBy).toBe(program.pid);
  await insist(program, 'SIGTERM', program.event('told-to-stop'));
  expect(await program.exited).toEqual({ code: 0, signal: null });
});

test('signals that come while a process leaves do not kill it', async () => {
  await using scene = new Scene();
  for (let attempt = 0; attempt < 3; attempt++) {
    const program = scene.server({ CONTROL: `${scene.control}-${attempt}` });
    await program.ready(0);
    let left = false;
    void program.exited.then(() => {
      left = true;
    });
    while (!left) {
      // Not by the pid: it may be gone, and its output not read to the end yet.
      program.child.kill('SIGTERM');
      await delay(1);
    }
    expect(await program.exited).toEqual({ code: 0, signal: null });
  }
});

test('a process that is told to stop while it drains does not serve again when its successor dies', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const slow = ask({ port }, '/?wait=1500');
  await program.event('began');
  const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', {});
  program.signal('SIGTERM');
  await program.event('told-to-stop');
  process.kill(pid, 'SIGKILL');
  expect((await slow).servedBy).toBe(program.pid);
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(program.told.filter(({ event }) => event === 'give-back')).toEqual([]);
});

test('a re-exec while the predecessor still drains: that one does not serve again', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const port = await portOf(first);
  const slow = ask({ port }, '/?wait=2000');
  await first.event('began');
  const second = scene.server();
  await second.ready(1);
  await ask({ port }, '/admin/reexec', {});
  await second.ready(2);
  expect((await slow).servedBy).toBe(first.pid);
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect(first.told.filter(({ event }) => event === 'give-back')).toEqual([]);
  for (let request = 0; request < 10; request++) expect((await ask({ port })).servedBy).toBe(second.pid);
});

test('a re-exec whose state is never saved is given up at the deadline, and the process serves on', async () => {
  await using scene = new Scene();
  const program = scene.server({ BEHAVIOUR: 'never-saves', OPTIONS: '{"shutdownTimeout":500}' });
  const port = await portOf(program);
  await ask({ port }, '/admin/reexec', {});
  expect(await program.event('reexec-failed')).toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
  expect((await ask({ port })).servedBy).toBe(program.pid);
});

test('a re-exec that is given up for a shutdown answers the connections that it had set aside', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const get = () =>
    new Promise<string>((resolve, reject) => {
      http
        .get({ port, host: '127.0.0.1', agent }, (response) => {
          response.resume().once('end', () => resolve(String(response.headers['x-served-by'])));
        })
        .once('error', reject);
    });
  expect(await get()).toBe(String(program.pid));
  const slow = ask({ port }, '/?until=told-to-continue');
  await program.event('began');
  await ask({ port }, '/admin/reexec', {});
  await program.event('draining');
  program.signal('SIGTERM');
  await program.event('told-to-stop');
  // It was moved aside, and is served again: here, and to its end.
  expect(await get()).toBe(String(program.pid));
  program.signal('SIGCONT');
  expect((await slow).servedBy).toBe(program.pid);
  expect(await program.exited).toEqual({ code: 0, signal: null });
  agent.destroy();
});

test('after a ready() that failed, closed and shutdown() settle', async () => {
  await using scene = new Scene();
  const source = `
    import http from 'node:http';
    import { handoff } from ${JSON.stringify(import.meta.resolve('fd-handoff'))};
    const tell = (event, details) => console.log(JSON.stringify({ event, pid: process.pid, ...details }));
    const app = await handoff({ control: './it.sock' });
    const server = http.createServer();
    await app.listen(server, { port: 0 });
    await new Promise((resolve) => server.listen(0, resolve));
    const code = await app.ready().then(() => 'none', (error) => error.code);
    const report = await app.shutdown();
    tell('over', { code, reason: report.reason, closed: (await app.closed).reason });
    process.exit(0);
  `;
  const program = scene.add(new Program(process.execPath, ['--input-type=module', '-e', source], {}, scene.folder));
  expect(await program.event('over')).toMatchObject({
    code: 'ERR_SERVER_ALREADY_LISTEN',
    reason: 'called-off',
    closed: 'called-off',
  });
  expect(await program.exited).toMatchObject({ code: 0 });
});

test('a listener that is registered while an offer runs is served when that has failed', async () => {
  await using scene = new Scene();
  const source = `
    import http from 'node:http';
    import { handoff } from ${JSON.stringify(import.meta.resolve('fd-handoff'))};
    const tell = (event, details) => console.log(JSON.stringify({ event, pid: process.pid, ...details }));
    const app = await handoff({ control: './it.sock' });
    await app.ready();
    const server = http.createServer((request, response) => response.end('late'));
    const listening = app.listen(server, { port: 0, host: 'localhost' });
    const upgrade = app.upgrade({ command: '/bin/false' }).catch((error) => error.code);
    const { port, address } = await listening;
    if (!server.listening) await new Promise((resolve) => server.once('listening', resolve));
    tell('late', { port, address, upgrade: await upgrade });
  `;
  const program = scene.add(new Program(process.execPath, ['--input-type=module', '-e', source], {}, scene.folder));
  const { port, address } = (await program.event('late')) as unknown as { port: number; address: string };
  expect((await ask({ port, host: address })).text).toBe('late');
});

test('a shutdown ends the program that an upgrade is starting, before it leaves', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  void ask({ port }, '/admin/upgrade', {
    command: '/bin/sh',
    args: ['-c', 'echo "{\\"event\\":\\"child\\",\\"pid\\":$$}"; exec sleep 60'],
  }).catch(() => {});
  const { pid } = await program.event('child');
  program.signal('SIGTERM');
  expect((await program.exited).signal).toBeNull();
  expect(isAlive(pid)).toBe(false);
  await expect(ask({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
