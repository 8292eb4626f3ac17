import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { LoadClient } from '../../bench/load-client.ts';
import { ask } from '../support/ask.ts';
import { portOf } from '../support/port-of.ts';
import { Scene } from '../support/scene.ts';

/** One connection, on which answers are read as text. */
class Conversation implements Disposable {
  readonly socket: Socket;
  #text = '';

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text;
    });
  }

  write(text: string): void {
    this.socket.write(text);
  }

  /** The whole text, once `count` answers have come. */
  async answers(count = 1): Promise<string> {
    while ((this.#text.match(/hello from \d+\n/g) ?? []).length < count) await once(this.socket, 'data');
    const text = this.#text;
    this.#text = '';
    return text;
  }

  async servedBy(count = 1): Promise<number[]> {
    return [...(await this.answers(count)).matchAll(/x-served-by: (\d+)/g)].map(([, pid]) => Number(pid));
  }

  async get(path = '/'): Promise<number> {
    this.write(request(path));
    return (await this.servedBy())[0] as number;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

function request(path = '/'): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

test('an idle connection goes to the successor: the client notices nothing', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  using client = new Conversation(port);
  expect(await client.get()).toBe(program.pid);
  for (let generation = 1; generation <= 3; generation++) {
    program.signal('SIGHUP', program.told.findLast(({ event }) => event === 'ready')?.pid);
    const { pid } = await program.ready(generation);
    expect(await client.get()).toBe(pid);
  }
  expect(await program.event('drain')).toMatchObject({ moved: 1, drained: 0, forced: 0 });
});

test('a connection that has never sent a byte goes along, and its first request is answered by the successor', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  using client = new Conversation(port);
  await once(client.socket, 'connect');
  // Accepted, and not only queued: a later one is answered.
  await ask({ port });
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  await program.exited;
  expect(await client.get()).toBe(pid);
});

test('a busy connection is answered in full, without Connection: close, and then goes to the successor', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  using client = new Conversation(port);
  client.write(request('/?until=draining&wait=100'));
  await program.event('began');
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  const answer = await client.answers();
  expect(answer).toContain(`x-served-by: ${program.pid}`);
  expect(answer.toLowerCase()).not.toContain('connection: close');
  await program.exited;
  expect(await client.get()).toBe(pid);
});

test('half a request head is completed and answered here, and then the connection goes to the successor', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  using client = new Conversation(port);
  await client.get();
  client.write('GET / HTTP/1.1\r\nHo');
  await expect.poll(() => ask({ port }).then(({ status }) => status)).toBe(200);
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  await program.event('draining');
  client.write('st: localhost\r\n\r\n');
  expect(await client.servedBy()).toEqual([program.pid]);
  await program.exited;
  expect(await client.get()).toBe(pid);
});

test('pipelined requests are answered in their order, and the connection goes to the successor after the last', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  using client = new Conversation(port);
  client.write(request('/?until=draining&wait=100') + request('/') + request('/?wait=100'));
  await program.event('began');
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  expect(await client.servedBy(3)).toEqual([program.pid, program.pid, program.pid]);
  await program.exited;
  expect(await client.get()).toBe(pid);
});

test('a moved connection is an ordinary one: its address, its keep-alive timeout, its end', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  using client = new Conversation(port);
  await client.get();
  const successor = scene.server({ KEEP_ALIVE_TIMEOUT: '2000' });
  await successor.ready(1);
  await program.exited;
  client.write(request('/admin/connection'));
  await once(client.socket, 'data');
  // Idle once more, and closed by the successor when its keep-alive timeout is over, without a 408.
  const [hadError] = await once(client.socket, 'close');
  expect(hadError).toBe(false);
  expect(await successor.event('connection')).toMatchObject({
    // As Node gives it for an IPv4 client of a dual-stack listener.
    remoteAddress: '::ffff:127.0.0.1',
    remotePort: expect.any(Number),
    connections: 1,
  });
});

test('an idle connection that moved and says nothing is closed by its keep-alive timeout, without a word', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  using client = new Conversation(port);
  await client.get();
  let more = '';
  client.socket.on('data', (text: string) => {
    more += text;
  });
  const closed = once(client.socket, 'close');
  await scene.server({ KEEP_ALIVE_TIMEOUT: '700' }).ready(1);
  await program.exited;
  await closed;
  expect(more).toBe('');
});

test('a request that takes longer than the keep-alive timeout is not cut off on a moved connection', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  using client = new Conversation(port);
  await client.get();
  const successor = scene.server({ KEEP_ALIVE_TIMEOUT: '2000' });
  const { pid } = await successor.ready(1);
  expect(await client.get('/?wait=3500')).toBe(pid);
});

test("connections: 'drain' keeps them here, and tells the client by Connection: close", async () => {
  await using scene = new Scene();
  const program = scene.server({ LISTENERS: '[{"port":0,"connections":"drain"}]' });
  const port = await portOf(program);
  using client = new Conversation(port);
  await client.get();
  program.signal('SIGHUP');
  await program.event('draining');
  client.write(request());
  const answer = await client.answers();
  expect(answer).toContain(`x-served-by: ${program.pid}`);
  expect(answer.toLowerCase()).toContain('connection: close');
});

test('a successor without that listener takes none of its connections: they drain here', async () => {
  await using scene = new Scene();
  const program = scene.server({ LISTENERS: '[{"name":"web","port":0},{"name":"old","port":0}]' });
  const { addresses } = await program.ready(0);
  const [web, old] = (addresses as { port: number }[]).map(({ port }) => port) as [number, number];
  using client = new Conversation(old);
  await client.get();
  const next = scene.server({ LISTENERS: '[{"name":"web","port":0}]' });
  await next.ready(1);
  client.write(request());
  expect((await client.answers()).toLowerCase()).toContain('connection: close');
  expect((await ask({ port: web })).servedBy).toBe(next.pid);
});

test('100 replacements in a row, and 200 connections that live from the first to the last', {
  timeout: 600_000,
}, async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const load = new LoadClient({
    target: `http://127.0.0.1:${port}/`,
    clients: 200,
    mode: 'keep-alive',
    loop: { kind: 'closed', pause: 20 },
  });
  load.start();
  let { pid } = program;
  for (let generation = 1; generation <= 100; generation++) {
    program.signal('SIGHUP', pid);
    pid = (await program.ready(generation)).pid;
  }
  const { total, examples } = await load.stop();
  console.log(JSON.stringify({ node: process.version, requests: total.requests, connections: total.connections }));
  expect(examples).toEqual([]);
  expect(total.failed).toBe(0);
  expect(total.connections).toEqual({ opened: 200, closedAnnounced: 0, closedUnannounced: 0 });
});
