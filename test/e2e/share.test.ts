import { expect, test } from 'vitest';
import { LoadClient } from '../../bench/load-client.ts';
import { ask } from '../support/ask.ts';
import { portOf } from '../support/port-of.ts';
import { RawClient } from '../support/raw-client.ts';
import { Scene } from '../support/scene.ts';

async function servers(port: number, requests = 60): Promise<Set<number>> {
  const answers = await Promise.all(Array.from({ length: requests }, () => ask({ port })));
  return new Set(answers.map(({ servedBy }) => servedBy));
}

const share = { OPTIONS: '{"share":true}' };

test('share: separately started processes serve on one accept queue beside the owner', async () => {
  await using scene = new Scene();
  const owner = scene.server();
  const port = await portOf(owner);
  const sharers = [scene.server(share), scene.server(share)];
  for (const sharer of sharers) expect(await sharer.event('ready')).toMatchObject({ predecessor: { pid: owner.pid } });
  const all = [owner.pid, ...sharers.map(({ pid }) => pid)].sort();
  const seen = new Set<number>();
  await expect
    .poll(async () => {
      for (const pid of await servers(port)) seen.add(pid);
      return [...seen].sort();
    })
    .toEqual(all);
  expect(owner.told.filter(({ event }) => event === 'draining')).toEqual([]);
});

test('share: when the owner is replaced the sharers stay, and nothing fails', async () => {
  await using scene = new Scene();
  const owner = scene.server();
  const port = await portOf(owner);
  const sharer = scene.server(share);
  await sharer.event('ready');
  const load = new LoadClient({
    target: `http://127.0.0.1:${port}/`,
    clients: 10,
    mode: 'new-connection',
    loop: { kind: 'closed', pause: 10 },
  });
  load.start();
  owner.signal('SIGHUP');
  const next = await owner.ready(1);
  await owner.exited;
  const later = scene.server(share);
  expect(await later.event('ready')).toMatchObject({ predecessor: { pid: next.pid } });
  const seen = new Set<number>();
  await expect
    .poll(async () => {
      for (const pid of await servers(port)) seen.add(pid);
      return [...seen].sort();
    })
    .toEqual([next.pid, sharer.pid, later.pid].sort());
  const report = await load.stop();
  expect(report.examples).toEqual([]);
  expect(report.total.failed).toBe(0);
  expect(sharer.told.some(({ event }) => event === 'draining' || event === 'error')).toBe(false);
});

test('share: a sharer that leaves, or is killed, changes nothing for the owner', async () => {
  await using scene = new Scene();
  const owner = scene.server();
  const port = await portOf(owner);
  const polite = scene.server(share);
  await polite.event('ready');
  polite.signal('SIGTERM');
  expect(await polite.exited).toEqual({ code: 0, signal: null });
  const killed = scene.server(share);
  await killed.event('ready');
  killed.signal('SIGKILL');
  await killed.exited;
  expect(await servers(port)).toEqual(new Set([owner.pid]));
  await scene.server().ready(1);
});

test('share: a sharer that is told to stop does not close what is idle, as one does that stops alone', async () => {
  await using scene = new Scene();
  const env = { KEEP_ALIVE_TIMEOUT: '600000' };
  const owner = scene.server(env);
  const port = await portOf(owner);
  const sharer = scene.server({ ...env, ...share });
  await sharer.event('ready');
  const alone = scene.server({ ...env, CONTROL: `${scene.control}-alone` });
  using kept = await idleConnection(port, sharer.pid);
  using closed = await idleConnection(await portOf(alone), alone.pid);
  sharer.signal('SIGTERM');
  await sharer.event('told-to-stop');
  alone.signal('SIGTERM');
  await closed.closed;
  // The request that would have crossed the close.
  kept.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  expect(await kept.closed).toMatch(/Connection: close.*hello/s);
  expect(await sharer.exited).toEqual({ code: 0, signal: null });
});

/** A connection to that process, which has answered once. */
async function idleConnection(port: number, pid: number): Promise<RawClient> {
  for (;;) {
    const client = await RawClient.connect(port);
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.until('hello from');
    if (client.received.includes(`x-served-by: ${pid}\r\n`)) return client;
    client[Symbol.dispose]();
  }
}
