// Servers behind the PROXY protocol: what a client says once per connection, through handoffs of real processes.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, type TestContext, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { needs } from '../support/needs.ts';
import { peerPackages } from '../support/peer-packages.ts';
import { portOf } from '../support/port-of.ts';
import { Program } from '../support/program.ts';
import { RawClient } from '../support/raw-client.ts';
import { Scene } from '../support/scene.ts';

const frontProgram = fileURLToPath(new URL('programs/front-server.js', import.meta.url));

const line = 'PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\n';
const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const known = 'hello from 203.0.113.7:4711\n';

/** A client that has said who it is, and was answered once. */
async function introduced(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  client.send(line + request);
  await client.until(known);
  return client;
}

function front(scene: Scene, env: NodeJS.ProcessEnv = {}): Program {
  return scene.add(new Program(process.execPath, [frontProgram], { CONTROL: scene.control, ...env }));
}

/** By which processes a client was answered. */
function answeredBy(client: RawClient): number[] {
  return [...client.received.matchAll(/x-served-by: (\d+)/g)].map(([, pid]) => Number(pid));
}

function packages(context: TestContext): string {
  return join(peerPackages(context), 'package.json');
}

test.for(['readable', 'proxywrap'])(
  'without hooks a connection that %s has read first ends where its client is known, and that is said',
  async (reader, context) => {
    await using scene = new Scene();
    const program = front(scene, { READER: reader, PACKAGES: packages(context) });
    const port = await portOf(program);
    using client = await introduced(port);
    program.signal('SIGHUP');
    await program.ready(1);
    expect(await program.event('warned', ({ code }) => code === 'FD_HANDOFF_FRONT_LISTENER')).toMatchObject({
      pid: program.pid,
    });
    client.send(request);
    expect(await client.closed).toMatch(/keep-alive.*Connection: close.*hello from 203.0.113.7:4711\n$/s);
    expect(new Set(answeredBy(client))).toEqual(new Set([program.pid]));
    expect(await program.event('drain')).toMatchObject({ moved: 0, drained: 1, forced: 0 });
  },
);

test("connections: 'drain' says that this is meant, and nothing is warned of", async () => {
  await using scene = new Scene();
  const program = front(scene, { HOOKS: 'drain' });
  const port = await portOf(program);
  using client = await introduced(port);
  program.signal('SIGHUP');
  await program.ready(1);
  client.send(request);
  await client.closed;
  await program.event('drain');
  expect(program.told.filter(({ event }) => event === 'warned')).toEqual([]);
});

test.for(['readable', 'proxywrap'])(
  'with hooks a connection that %s has read first goes through three processes, and its client is known in each',
  async (reader, context) => {
    await using scene = new Scene();
    const program = front(scene, { READER: reader, PACKAGES: packages(context), HOOKS: 'yes' });
    const port = await portOf(program);
    using client = await introduced(port);
    const pids = [program.pid];
    for (let generation = 1; generation <= 2; generation++) {
      program.signal('SIGHUP', pids.at(-1));
      pids.push((await program.ready(generation)).pid);
      await program.event('drain', ({ pid }) => pid === pids.at(-2));
      client.send(request);
      await client.until(known, generation + 1);
    }
    expect(answeredBy(client)).toEqual(pids);
    // It is this server's own at once, also where the reader of first bytes has never seen it.
    client.send(request.replace('/', '/close'));
    await client.closed;
    await program.event('closed');
    expect(program.told.filter(({ event }) => event === 'warned' || event === 'error')).toEqual([]);
  },
);

test('with hooks it goes through a re-exec, too', async () => {
  await using scene = new Scene();
  const program = front(scene, { HOOKS: 'yes' });
  const port = await portOf(program);
  using client = await introduced(port);
  program.signal('SIGUSR1');
  expect((await program.ready(1)).pid).toBe(program.pid);
  client.send(request);
  await client.until(known, 2);
});

test('one that has said nothing yet stays, says who it is there, and is answered there', async () => {
  await using scene = new Scene();
  const program = front(scene, { HOOKS: 'yes' });
  const port = await portOf(program);
  using silent = await RawClient.connect(port);
  // Accepted, and not only queued: a later one is answered.
  using _later = await introduced(port);
  program.signal('SIGHUP');
  await program.ready(1);
  silent.send(line + request);
  await silent.until(known);
  expect(answeredBy(silent)).toEqual([program.pid]);
});

test.for([
  { what: 'the next version has no hooks', next: { READER: 'readable' }, told: 'warned' },
  { what: 'the next version refuses', next: { HOOKS: 'yes', RESTORE: 'throws' }, told: 'error' },
])('where $what, connections stay, and their clients are known there', async ({ next, told }) => {
  await using scene = new Scene();
  const program = front(scene, { HOOKS: 'yes' });
  const port = await portOf(program);
  using one = await introduced(port);
  using other = await introduced(port);
  const successor = front(scene, { ...next, PORT: String(port) });
  await successor.ready(1);
  await successor.event(told);
  for (const client of [one, other]) {
    client.send(request);
    expect(await client.closed).toMatch(/Connection: close.*hello from 203.0.113.7:4711\n$/s);
    expect(new Set(answeredBy(client))).toEqual(new Set([program.pid]));
  }
  expect(await program.event('drain')).toMatchObject({ moved: 0, forced: 0 });
  expect(successor.told.filter(({ event }) => event === told)).toHaveLength(1);
});

test.for([
  { reader: 'readable', send: 'send-proxy' },
  { reader: 'proxywrap', send: 'send-proxy' },
  { reader: 'proxy-protocol-js', send: 'send-proxy-v2' },
])(
  'HAProxy with $send before $reader: clients and their connections outlive three handoffs',
  async ({ reader, send }, context) => {
    needs(context, 'haproxy', '-v');
    await using scene = new Scene();
    const program = front(scene, { READER: reader, PACKAGES: packages(context), HOOKS: 'yes' });
    const port = await portOf(program);
    const entry = await proxy(scene, `127.0.0.1:${port} ${send}`);
    const clients = await Promise.all(Array.from({ length: 5 }, () => connected(scene, entry)));
    const askAll = async (times: number) => {
      for (const client of clients) client.send(request);
      for (const client of clients) await client.until(`hello from 127.0.0.1:${client.socket.localPort}\n`, times);
    };
    await askAll(1);
    let { pid } = program;
    for (let generation = 1; generation <= 3; generation++) {
      program.signal('SIGHUP', pid);
      const next = await program.ready(generation);
      expect(await program.event('drain', (told) => told.pid === pid)).toMatchObject({
        moved: 5,
        drained: 0,
        forced: 0,
      });
      pid = next.pid;
      await askAll(generation + 1);
    }
    expect(clients.map((client) => answeredBy(client).length)).toEqual([4, 4, 4, 4, 4]);
  },
);

/** A client that ends with the scene. */
async function connected(scene: Scene, port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  scene.add({ end: async () => client[Symbol.dispose]() });
  return client;
}

/** A HAProxy before one server; resolves with its port when it accepts. */
async function proxy(scene: Scene, server: string): Promise<number> {
  const port = await freePort();
  const configuration = join(scene.folder, 'haproxy.cfg');
  const lines = [
    'defaults',
    '  mode http',
    '  timeout client 30s',
    '  timeout server 30s',
    '  timeout connect 5s',
    'frontend web',
    `  bind 127.0.0.1:${port}`,
    '  default_backend app',
    'backend app',
    `  server app ${server}`,
  ];
  writeFileSync(configuration, `${lines.join('\n')}\n`);
  scene.add(new Program('haproxy', ['-f', configuration], {}));
  await expect
    .poll(() =>
      RawClient.connect(port).then(
        (client) => {
          client[Symbol.dispose]();
          return true;
        },
        () => false,
      ),
    )
    .toBe(true);
  return port;
}
