import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpConnections } from '../../../lib/servers/http-connections.ts';
import { Mover } from '../../../lib/servers/mover.ts';
import { eventually } from '../../support/eventually.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { RawClient } from '../../support/raw-client.ts';
import { ServedServer } from '../../support/served-server.ts';

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
