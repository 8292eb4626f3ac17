import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describe as describeDescriptor } from '../../../lib/fd/describe.ts';
import {
  bareSocketOf,
  descriptorOf,
  idleSockets,
  isReadByHttp,
  setKeepAlive,
  setUnixAddress,
} from '../../../lib/servers/internals.ts';
import { eventually } from '../../support/eventually.ts';
import { ServedServer } from '../../support/served-server.ts';

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe.each(['http', 'https'] as const)(`the internals of Node ${process.version}, %s`, (protocol) => {
  let scene: ServedServer;
  let held: ServerResponse[];
  let upgrades: Duplex[];

  beforeEach(async () => {
    held = [];
    upgrades = [];
    scene = await ServedServer.start(protocol, (message: IncomingMessage, response) => {
      if (message.url === '/held') held.push(response);
      else response.end('answer');
    });
    scene.served.server.on('upgrade', (_: IncomingMessage, socket: Duplex) => upgrades.push(socket));
  });
  afterEach(() => scene[Symbol.asyncDispose]());

  const server = () => scene.served.server as http.Server;
  const sockets = () => [...scene.served.connections.sockets];

  it('descriptorOf: the number is that of the connection', async () => {
    const client = await scene.connect();
    const [socket] = sockets() as [net.Socket];
    expect(describeDescriptor(descriptorOf(socket))).toMatchObject({
      kind: 'socket',
      port: scene.port,
      peer: { port: client.socket.localPort },
    });
  });

  it('idleSockets: exactly those that were answered and have begun no other request', async () => {
    const idle = await scene.connect();
    idle.send(request);
    await idle.until('answer');
    const [idleSocket] = sockets();
    expect(idleSockets(server(), sockets())).toEqual(new Set([idleSocket]));

    const half = await scene.connect();
    half.send(request + request.slice(0, 5));
    await half.until('answer');
    const busy = await scene.connect();
    busy.send(request.replace('/', '/held'));
    await eventually(() => held.length === 1);
    await scene.connect();
    const upgraded = await scene.connect();
    upgraded.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    await eventually(() => upgrades.length === 1);
    await eventually(() => sockets()[1]?.bytesRead === request.length + 5);
    expect(sockets().length).toBe(5);
    expect(idleSockets(server(), sockets())).toEqual(new Set([idleSocket]));

    // One byte of a next request makes it another.
    idle.send('G');
    await eventually(() => idleSocket?.bytesRead === request.length + 1);
    expect(idleSockets(server(), sockets())).toEqual(new Set());
    expect(sockets().every(({ destroyed }) => !destroyed)).toBe(true);
    idle.send(request.slice(1));
    await idle.until('answer', 2);
  });

  it('idleSockets: leaves every socket as it was', async () => {
    const client = await scene.connect();
    client.send(request);
    await client.until('answer');
    const [socket] = sockets() as [net.Socket];
    idleSockets(server(), [socket]);
    expect(Object.hasOwn(socket, 'destroy')).toBe(false);
    const own = () => socket;
    socket.destroy = own as unknown as net.Socket['destroy'];
    idleSockets(server(), [socket]);
    expect(socket.destroy).toBe(own);
    Reflect.deleteProperty(socket, 'destroy');
  });

  it('isReadByHttp: until an upgrade', async () => {
    const client = await scene.connect();
    const [socket] = sockets() as [net.Socket];
    expect(isReadByHttp(socket)).toBe(true);
    client.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    await eventually(() => upgrades.length === 1);
    expect(isReadByHttp(socket)).toBe(false);
  });

  it('setKeepAlive: decides what the answer says, until its head is sent', async () => {
    const client = await scene.connect();
    client.send(request.replace('/', '/held'));
    await eventually(() => held.length === 1);
    setKeepAlive(held[0] as ServerResponse, false);
    setKeepAlive(held[0] as ServerResponse, true);
    held[0]?.writeHead(200, { 'Content-Length': 5 }).flushHeaders();
    await client.until('\r\n\r\n');
    setKeepAlive(held[0] as ServerResponse, false);
    held[0]?.end('first');
    await client.until('first');
    client.send(request.replace('/', '/held'));
    await eventually(() => held.length === 2);
    setKeepAlive(held[1] as ServerResponse, false);
    held[1]?.end('second');
    expect(await client.closed).toMatch(/Connection: keep-alive.*first.*Connection: close.*second/s);
  });

  it('bareSocketOf: what an encrypted connection stands on', async () => {
    const connection = once(scene.served.server, 'connection');
    await scene.connect();
    const [bare] = (await connection) as [net.Socket];
    const [socket] = sockets() as [net.Socket];
    expect(bareSocketOf(socket)).toBe(protocol === 'https' ? bare : null);
    expect(socket instanceof TLSSocket).toBe(protocol === 'https');
  });
});

it('descriptorOf: a closed socket has none, and the error says so', () => {
  expect(() => descriptorOf(new net.Socket())).toThrow(
    expect.objectContaining({
      code: 'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
      message: expect.stringContaining(process.version),
    }),
  );
});

it('idleSockets: none before the server has listened', () => {
  expect(idleSockets(http.createServer(), [])).toEqual(new Set());
});

it('setUnixAddress: address() answers with it while the server listens', async () => {
  const server = net.createServer();
  await once(server.listen(`@${Math.random()}`.replace('@', '\0')), 'listening');
  setUnixAddress(server, '/some/path');
  expect(server.address()).toBe('/some/path');
  server.close();
  await once(server, 'close');
});
