import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HttpConnections } from '../../../../lib/servers/http/http-connections.ts';
import { type ConnectionHooks, ConnectionMemory } from '../../../../lib/servers/moving/connection-memory.ts';
import { Mover } from '../../../../lib/servers/moving/mover.ts';
import { eventually } from '../../../support/eventually.ts';
import { idleClient, moveAll, movedClient, sendTo } from '../../../support/idle-connection.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { RawClient } from '../../../support/raw-client.ts';
import { ServedServer } from '../../../support/served-server.ts';

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe.each(['http', 'https'] as const)('the connections of an %s server', (protocol) => {
  let descriptors: DescriptorCheck;
  let scene: ServedServer;

  beforeEach(async () => {
    descriptors = new DescriptorCheck();
    scene = await ServedServer.start(protocol, (_, response) => response.end('answer'));
  });
  afterEach(async () => {
    await scene[Symbol.asyncDispose]();
    await descriptors[Symbol.asyncDispose]();
  });

  it('are one each, and gone when they end: for https not the bare and the encrypted socket', async () => {
    const { connections } = scene.served;
    expect(connections).toBeInstanceOf(HttpConnections);
    const clients = [await scene.connect(), await scene.connect(), await scene.connect()];
    expect(connections.sockets.size).toBe(3);
    expect([...connections.sockets].every((socket) => socket instanceof TLSSocket === (protocol === 'https'))).toBe(
      true,
    );
    for (const client of clients) client.socket.destroy();
    await connections.empty();
    expect(connections.sockets.size).toBe(0);
  });

  it('are told to close by the next answer, and no more when that is taken back', async () => {
    const client = await scene.connect();
    client.send(request);
    await client.until('answer');
    scene.served.connections.announceClose();
    scene.served.connections.keepOpen();
    client.send(request);
    await client.until('answer', 2);
    scene.served.connections.announceClose();
    client.send(request);
    expect(await client.closed).toMatch(/keep-alive.*keep-alive.*Connection: close.*answer$/s);
  });

  it('are told by the answer to a request with Expect, too', async () => {
    const client = await scene.connect();
    scene.served.connections.announceClose();
    client.send('POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
    await client.until('100 Continue');
    client.send('ok');
    expect(await client.closed).toMatch(/Connection: close.*answer$/s);
  });

  it('of another server are not touched', async () => {
    await using other = await ServedServer.start(protocol, (_, response) => response.end('other'));
    scene.served.connections.announceClose();
    const client = await other.connect();
    client.send(request);
    await client.until('other');
    expect(client.received).toContain('keep-alive');
  });
});

it('are looked at some at a time, and all leave that can, when they can', async () => {
  await using _descriptors = new DescriptorCheck();
  const held: http.ServerResponse[] = [];
  await using server = http.createServer((incoming, response) => {
    if (incoming.url === '/held') held.push(response);
    else response.end('answer');
  });
  const connections = new HttpConnections(server, 2);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const connected: RawClient[] = [];
  for (let count = 0; count < 9; count++) connected.push(await RawClient.connect(port));
  const [busy, silent, ...idle] = connected as [RawClient, RawClient, ...RawClient[]];
  busy.send(request.replace('/', '/held'));
  await eventually(() => held.length === 1);
  for (const client of idle) {
    client.send(request);
    await client.until('answer');
  }

  const batches: number[] = [];
  const mover = new Mover(async (batch) => {
    batches.push(batch.length);
    return new Set(batch);
  });
  connections.move(mover, 'route');
  await eventually(() => connections.sockets.size === 1);
  expect(connections.moved).toBe(8);
  expect(Math.max(...batches)).toBe(2);
  held[0]?.end('answer');
  await busy.until('answer');
  await connections.empty();
  expect(connections.moved).toBe(9);
  await Promise.all([silent.closed, ...idle.map((client) => client.closed)]);
});

it('a forgotten server is watched no more', async () => {
  const server = http.createServer((_, response) => response.end());
  const connections = new HttpConnections(server);
  connections.announceClose();
  connections.forget();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as { port: number };
  const agent = new http.Agent({ keepAlive: true });
  const [response] = (await once(http.get({ port, host: '127.0.0.1', agent }), 'response')) as [http.IncomingMessage];
  expect(response.headers.connection).toBe('keep-alive');
  response.resume();
  await once(response, 'end');
  agent.destroy();
  server.close();
  await once(server, 'close');
});

it.each(['at once', 'while it drains'])('the connections of https are not taken over (%s)', async (when) => {
  await using scene = await ServedServer.start('https', (_, response) => response.end());
  if (when === 'while it drains') scene.served.connections.announceClose();
  expect(scene.served.connections.adopts).toBe(false);
});

describe('connections that come', () => {
  const exchange = { request, answered: 'answer' };
  const listener: http.RequestListener = (_, response) => response.end('answer');

  it('idle are not closed as half a request, as those are that have never sent a byte', async () => {
    await using former = await ServedServer.start('http', listener);
    await using scene = await ServedServer.start('http', listener);
    using idle = await movedClient(former, scene, exchange);
    using silent = await former.connect();
    await moveAll(former, scene);
    expect(scene.served.connections.closeHalfSent()).toEqual([]);
    expect(await silent.closed).toBe('');
    idle.send(request);
    await idle.until('answer', 2);
  });

  it('having never had a request owe one still', async () => {
    await using former = await ServedServer.start('http', listener);
    const server = http.createServer({ headersTimeout: 1_000, connectionsCheckingInterval: 20 }, listener);
    await using scene = await ServedServer.serve(server);
    using silent = await former.connect();
    await moveAll(former, scene);
    expect(await silent.closed).toMatch(/^HTTP\/1.1 408/);
  });

  it('while this process hands over itself go on at once', async () => {
    await using first = await ServedServer.start('http', listener);
    await using second = await ServedServer.start('http', listener);
    await using third = await ServedServer.start('http', listener);
    second.served.connections.move(new Mover(sendTo(third.served)), 'route');
    using client = await movedClient(first, second, exchange);
    await eventually(() => third.served.connections.sockets.size === 1);
    client.send(request);
    await client.until('answer', 2);
  });

  it("are taken though a listener to 'connection' throws, which is as fatal as where Node accepts", async () => {
    await using former = await ServedServer.start('http', listener);
    await using scene = await ServedServer.start('http', listener);
    scene.served.server.prependListener('connection', () => {
      throw new Error('not me');
    });
    const thrown = vi.fn();
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException').on('uncaughtException', thrown);
    try {
      using _client = await movedClient(former, scene, exchange);
      await eventually(() => thrown.mock.calls.length === 1);
      expect(thrown.mock.calls[0]?.[0]).toEqual(new Error('not me'));
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const other of others) process.on('uncaughtException', other);
    }
  });

  it('to a server that was closed by its own close() are not taken', async () => {
    await using former = await ServedServer.start('http', listener);
    await using scene = await ServedServer.start('http', listener);
    using client = await idleClient(former, exchange);
    const gone = new Mover(async () => new Set());
    former.served.connections.move(gone, 'route');
    client.send(request);
    expect(await client.closed).toMatch(/keep-alive.*Connection: close/s);
    expect(scene.served.connections.sockets.size).toBe(0);
  });
});

describe('with what the application knows of them', () => {
  const listener: http.RequestListener = ({ socket }, response) => response.end(`answer to ${nameOf(socket)}`);
  const exchange = { request, answered: 'answer to first' };

  function nameOf(socket: Socket): string {
    return (socket as Socket & { client?: string }).client ?? 'nobody';
  }

  function remembering(hooks: Partial<ConnectionHooks> = {}, report = (_: Error) => {}): ConnectionMemory {
    const own: ConnectionHooks = {
      save: nameOf,
      restore: (socket, client) => Object.assign(socket, { client }),
    };
    return new ConnectionMemory('web', { ...own, ...hooks }, report);
  }

  async function start(memory: ConnectionMemory | null, named = false): Promise<ServedServer> {
    const scene = await ServedServer.start('http', listener);
    scene.served.connections.belongTo('web', memory);
    if (named) scene.served.server.on('connection', (socket) => Object.assign(socket, { client: 'first' }));
    return scene;
  }

  it('they go, and it is there before a listener hears of them', async () => {
    await using former = await start(remembering(), true);
    await using scene = await start(remembering());
    const heard: string[] = [];
    scene.served.server.prependListener('connection', (socket) => heard.push(nameOf(socket)));
    using client = await movedClient(former, scene, exchange);
    client.send(request);
    await client.until('answer to first', 2);
    expect(heard).toEqual(['first']);
  });

  it('they stay where that cannot be had, and their neighbours go', async () => {
    const reports: Error[] = [];
    const save = (socket: Socket) => {
      if (socket.remotePort === client.socket.localPort) throw new Error('not this one');
      return nameOf(socket);
    };
    await using former = await start(
      remembering({ save }, (error) => reports.push(error)),
      true,
    );
    await using scene = await start(remembering());
    using client = await idleClient(former, exchange);
    using neighbour = await idleClient(former, exchange);
    former.served.connections.move(new Mover(sendTo(scene.served)), 'route');
    await eventually(() => scene.served.connections.sockets.size === 1);
    client.send(request);
    expect(await client.closed).toMatch(/keep-alive.*Connection: close.*answer to first$/s);
    neighbour.send(request);
    await neighbour.until('answer to first', 2);
    expect(reports).toHaveLength(1);
  });

  it('they stay where the successor is of a version that would lose it', async () => {
    await using former = await start(remembering(), true);
    await using scene = await start(remembering());
    using client = await idleClient(former, exchange);
    former.served.connections.move(new Mover(sendTo(scene.served), 'bare'), 'route');
    client.send(request);
    expect(await client.closed).toMatch(/Connection: close.*answer to first$/s);
  });
});
