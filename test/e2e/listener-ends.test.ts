// How a listener ends before its process does: the next version has no use for it, or the application closes its server.
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { listeners, portIn, refusal } from '../support/listening.ts';
import type { Program } from '../support/program.ts';
import { RawClient } from '../support/raw-client.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';

let scene: Scene;

beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene[Symbol.asyncDispose]());

/** Two ports, `web` and `old`, and a path that is called `path`. */
async function start(): Promise<{ first: Program; web: number; old: number; path: string }> {
  const path = join(scene.folder, 'old.sock');
  const first = scene.server(listeners({ name: 'web', port: 0 }, { name: 'old', port: 0 }, { name: 'path', path }));
  const { listening } = await first.ready(0);
  return { first, web: portIn(listening, 'web'), old: portIn(listening, 'old'), path };
}

/** A successor that has no use for `old` and `path`, while an answer keeps the predecessor draining. */
async function replace(first: Program, web: number, old: number): Promise<Program> {
  void ask({ port: web }, '/?wait=60000').catch(() => {});
  await first.event('began');
  const second = scene.server(listeners({ name: 'web', port: web }));
  await second.ready(1);
  await expect.poll(() => refusal(old), { timeout: 30_000 }).toBe('ECONNREFUSED');
  return second;
}

test('what the successor had no use for is bound again when it dies while the predecessor drains', async () => {
  const { first, web, old, path } = await start();
  const second = await replace(first, web, old);
  expect(existsSync(path)).toBe(false);
  second.signal('SIGKILL');
  await first.event('give-back');
  for (const where of [{ port: web }, { port: old }, { socketPath: path }]) {
    expect((await ask(where)).servedBy).toBe(first.pid);
  }
  // And is handed over as before.
  const third = scene.server(listeners({ name: 'web', port: web }, { name: 'old', port: old }, { name: 'path', path }));
  expect((await third.ready(1)).listening).toMatchObject([
    { inherited: true },
    { inherited: true },
    { inherited: true },
  ]);
});

test('what somebody else has bound meanwhile is told, and everything else is served again', async () => {
  const { first, web, old, path } = await start();
  const second = await replace(first, web, old);
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(old, resolve));
  second.signal('SIGKILL');
  expect(await first.event('error')).toMatchObject({
    code: 'EADDRINUSE',
    message: expect.stringContaining(String(old)),
  });
  await first.event('give-back');
  for (const where of [{ port: web }, { socketPath: path }]) expect((await ask(where)).servedBy).toBe(first.pid);
  squatter.close();
});

test('a server that the application closes is taken out: refused from then on, and not handed over', async () => {
  const { first, web, old, path } = await start();
  using client = await RawClient.connect(old);
  client.send('GET /?wait=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await first.event('began');
  for (const name of ['old', 'path']) await ask({ port: web }, '/admin/close', { name });
  expect(await refusal(old)).toBe('ECONNREFUSED');
  expect(existsSync(path)).toBe(false);
  const load = new StrictLoad(web);
  const second = scene.server(listeners({ name: 'web', port: web }, { name: 'old', port: old }));
  expect((await second.ready(1)).listening).toMatchObject([{ inherited: true }, { name: 'old', inherited: false }]);
  expect((await ask({ port: old })).servedBy).toBe(second.pid);
  // What was in flight is finished, and the process waits for it.
  await client.until('hello');
  await first.exited;
  await load.end();
});

test('one that is closed before ready() is the predecessor’s until commit, and refused from then on', async () => {
  const { first, web, old, path } = await start();
  const same = listeners({ name: 'web', port: web }, { name: 'old', port: old }, { name: 'path', path });
  const failing = scene.server({ ...same, CLOSED: '["old","path"]', BEHAVIOUR: 'throw' });
  await failing.exited;
  for (const where of [{ port: old }, { socketPath: path }]) expect((await ask(where)).servedBy).toBe(first.pid);
  const slow = ask({ port: web }, '/?wait=2500');
  await first.event('began');
  const second = scene.server({ ...same, CLOSED: '["old","path"]' });
  await second.ready(1);
  await expect.poll(() => refusal(old), { timeout: 30_000 }).toBe('ECONNREFUSED');
  await expect.poll(() => existsSync(path), { timeout: 30_000 }).toBe(false);
  expect((await slow).servedBy).toBe(first.pid);
});

test('one that is closed while a successor starts is not that one’s loss, and gone where that fails', async () => {
  const { first, web, old, path } = await start();
  const same = listeners({ name: 'web', port: web }, { name: 'old', port: old }, { name: 'path', path });
  const hanging = scene.server({ ...same, BEHAVIOUR: 'hang' });
  await hanging.event('hanging');
  for (const name of ['old', 'path']) await ask({ port: web }, '/admin/close', { name });
  expect(existsSync(path)).toBe(true);
  hanging.signal('SIGKILL');
  await first.event('rollback');
  await expect.poll(() => refusal(old), { timeout: 30_000 }).toBe('ECONNREFUSED');
  expect(existsSync(path)).toBe(false);
  expect((await ask({ port: web })).servedBy).toBe(first.pid);
});

test('beside an owner it is this process alone that stops: the owner’s file stays', async () => {
  const { first, web, old, path } = await start();
  const same = listeners({ name: 'web', port: web }, { name: 'old', port: old }, { name: 'path', path });
  const sharer = scene.server({ ...same, OPTIONS: '{"share":true}' });
  await sharer.ready(1);
  using client = await connectionTo(sharer, web);
  for (const name of ['old', 'path']) {
    const body = JSON.stringify({ name });
    client.send(`POST /admin/close HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await sharer.event('closed', (told) => told.name === name);
  }
  for (const where of [{ port: old }, { socketPath: path }]) expect((await ask(where)).servedBy).toBe(first.pid);
});

/** A connection that this one of several processes has accepted. */
async function connectionTo(program: Program, port: number): Promise<RawClient> {
  for (;;) {
    const client = await RawClient.connect(port);
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.until('hello');
    if (client.received.includes(`x-served-by: ${program.pid}`)) return client;
    client[Symbol.dispose]();
  }
}
