import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { bindTcp, listen } from '../../../../lib/fd/socket.ts';
import { serveTaken, takeQueue } from '../../../../lib/servers/binding/accept-queue.ts';
import { boundAddress } from '../../../../lib/servers/binding/bound-socket.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { RawClient } from '../../../support/raw-client.ts';

let descriptors: DescriptorCheck;
let listener: OwnedFd;
let server: http.Server;
let clients: RawClient[];

beforeEach(async () => {
  descriptors = new DescriptorCheck();
  listener = new OwnedFd(bindTcp('127.0.0.1', 0), 'a listener that nobody accepts on');
  server = http.createServer((_, response) => response.end('answer'));
  // A server that has never listened is not ready for connections.
  await once(server.listen(0, '127.0.0.1'), 'listening');
  clients = [];
});
afterEach(async () => {
  for (const client of clients) client[Symbol.dispose]();
  listener.close();
  server.close();
  server.closeAllConnections();
  await descriptors[Symbol.asyncDispose]();
});

async function queue(count: number): Promise<void> {
  listen(listener.fd, 511);
  const { port } = boundAddress(listener.fd);
  clients = await Promise.all(Array.from({ length: count }, () => RawClient.connect(port as number)));
  for (const client of clients) client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
}

it('200 connections that wait in the queue of a listener are answered, though it is closed', async () => {
  await queue(200);
  const taken = takeQueue(listener.fd, 512);
  expect(taken).toHaveLength(200);
  listener.close();
  serveTaken(server, taken);
  for (const client of clients) await client.until('answer');
});

it('takes no more than it is told to', async () => {
  await queue(3);
  const taken = takeQueue(listener.fd, 2);
  expect(taken).toHaveLength(2);
  serveTaken(server, taken);
});

it('takes nothing of what does not listen', () => {
  expect(takeQueue(listener.fd, 2)).toEqual([]);
});

it('makes them the server’s own: counted, and with its options', async () => {
  await queue(2);
  const accepted: net.Socket[] = [];
  server.on('connection', (socket) => accepted.push(socket));
  serveTaken(server, takeQueue(listener.fd, 2));
  expect(accepted.map((socket) => socket.allowHalfOpen)).toEqual([true, true]);
  const count = await new Promise((resolve) => server.getConnections((_error, open) => resolve(open)));
  expect(count).toBe(2);
});

it('turns away those beyond the server’s limit, and those that it has blocked', async () => {
  await queue(2);
  server.maxConnections = 1;
  serveTaken(server, takeQueue(listener.fd, 2));
  const [one, other] = clients as [RawClient, RawClient];
  await Promise.any([one.closed, other.closed]);
  await Promise.any([one.until('answer'), other.until('answer')]);

  server.maxConnections = 0;
  const blockList = new net.BlockList();
  blockList.addAddress('127.0.0.1');
  Object.assign(server, { blockList });
  const client = await RawClient.connect(boundAddress(listener.fd).port as number);
  clients.push(client);
  serveTaken(server, takeQueue(listener.fd, 1));
  expect(await client.closed).toBe('');
});
