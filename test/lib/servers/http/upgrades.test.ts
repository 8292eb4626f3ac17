import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Upgrades } from '../../../../lib/servers/http/upgrades.ts';
import { eventually } from '../../../support/eventually.ts';
import { RawClient } from '../../../support/raw-client.ts';

const answer = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const restart = Buffer.from([0x88, 2, 1012 >> 8, 1012 & 0xff]).toString('latin1');

let server: http.Server;
let upgrades: Upgrades;
const open = new Set<Socket>();

beforeEach(async () => {
  server = http.createServer((_request, response) => response.end('ordinary'));
  upgrades = new Upgrades(server);
  server.on('connection', (socket) => {
    open.add(socket.on('error', () => {}).once('close', () => open.delete(socket)));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});

afterEach(async () => {
  for (const socket of open) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

async function connect(upgrade = 'websocket'): Promise<RawClient> {
  const client = await RawClient.connect((server.address() as AddressInfo).port);
  client.send(
    `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\nSec-WebSocket-Key: a\r\n\r\n`,
  );
  return client;
}

async function upgraded(kind?: string): Promise<{ client: RawClient; socket: Socket }> {
  const event = once(server, 'upgrade') as Promise<[http.IncomingMessage, Duplex]>;
  const client = await connect(kind);
  const [, socket] = await event;
  return { client, socket: socket as Socket };
}

it('a server without a listener answers such a request as any other, before and after one was there', async () => {
  using first = await connect();
  await first.until('ordinary');
  const listener = () => {};
  server.on('upgrade', listener).off('upgrade', listener);
  using second = await connect();
  await second.until('ordinary');
  server.on('upgrade', listener).removeAllListeners('upgrade');
  using third = await connect();
  await third.until('ordinary');
  expect(server.listenerCount('upgrade')).toBe(0);
});

it('those of the application hear of it as before, those that were there first as well', async () => {
  upgrades.forget();
  const heard: string[] = [];
  server.on('upgrade', (_request, socket) => {
    heard.push('early');
    socket.destroy();
  });
  upgrades = new Upgrades(server);
  server.prependListener('upgrade', () => heard.push('first'));
  using client = await connect();
  await client.closed;
  expect(heard).toEqual(['first', 'early']);
});

it('a WebSocket is told once, between two frames, and hears nothing after that', async () => {
  const { client, socket } = await upgraded();
  socket.write(answer);
  socket.write(Buffer.from([0x81, 5]));
  upgrades.tell(1012, 1);
  socket.write('hello');
  upgrades.tell(1012, 1);
  upgrades.tell(1001, 1);
  const written = new Promise<void>((resolve) => socket.write(Buffer.from([0x81, 1, 65]), () => resolve()));
  await written;
  socket.end();
  expect((await client.closed).slice(answer.length)).toBe(`\x81\x05hello${restart}`);
});

it('one whose handshake is not answered, is refused, or that closes by itself is not told', async () => {
  const before = await upgraded();
  upgrades.tell(1012, 1);
  before.socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  expect(await before.client.closed).toBe('HTTP/1.1 400 Bad Request\r\n\r\n');
  const closing = await upgraded();
  closing.socket.write(answer);
  closing.socket.write(Buffer.from([0x88, 2, 0x03, 0xe8]));
  upgrades.tell(1012, 1);
  closing.socket.end();
  expect((await closing.client.closed).slice(answer.length)).toBe('\x88\x02\x03\xe8');
});

it('of another protocol only the application knows', async () => {
  const { client, socket } = await upgraded('echo/1, websocket');
  socket.write(answer);
  upgrades.tell(1012, 1);
  expect(upgrades.kindOf(socket)).toBe('echo/1');
  socket.end();
  expect(await client.closed).toBe(answer);
});

it('some of them are told at a time', async () => {
  const all = [await upgraded(), await upgraded(), await upgraded(), await upgraded()];
  for (const { socket } of all) socket.write(answer);
  const told = () => all.filter(({ client }) => client.received.endsWith(restart)).length;
  for (const [share, count] of [
    [1 / 4, 1],
    [1 / 3, 2],
    [1, 4],
  ] as const) {
    upgrades.tell(1012, share);
    await eventually(() => told() === count);
  }
});

it('a name is shown as far as it is one, and forgotten with its connection', async () => {
  const { client, socket } = await upgraded('(unheard of)');
  expect(upgrades.kindOf(socket)).toBe('other');
  client.socket.destroy();
  socket.on('error', () => {}).destroy();
  await eventually(() => upgrades.kindOf(socket) === null);
});
