import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveAddress } from '../../../../lib/servers/binding/address.ts';
import { Listener } from '../../../../lib/servers/binding/listener.ts';
import { Acceptor } from '../../../../lib/servers/serving/acceptor.ts';
import { makeCertificate } from '../../../support/certificate.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { RawClient } from '../../../support/raw-client.ts';

const certificate = makeCertificate();
const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

let descriptors: DescriptorCheck;
let listeners: Listener[];
let acceptors: Acceptor[];
let servers: net.Server[];
let clients: RawClient[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  listeners = [];
  acceptors = [];
  servers = [];
  clients = [];
});
afterEach(async () => {
  for (const client of clients) client[Symbol.dispose]();
  for (const acceptor of acceptors) acceptor.stop();
  for (const listener of listeners) listener.close();
  await descriptors[Symbol.asyncDispose]();
});

/** A server that is accepted for in two places. */
async function inTwoPlaces<S extends net.Server>(server: S): Promise<{ server: S; own: Acceptor; beside: Acceptor }> {
  servers.push(server);
  for (const name of ['one', 'two']) {
    const options = { backlog: 64, ipv6Only: false, reusePort: false };
    listeners.push(await Listener.bind(name, await resolveAddress({ port: 0, host: '127.0.0.1' }), options));
  }
  const [one, two] = listeners as [Listener, Listener];
  const own = Acceptor.of(server, one);
  const beside = Acceptor.beside(server, two);
  acceptors = [own, beside];
  for (const acceptor of acceptors) await acceptor.start();
  return { server, own, beside };
}

async function connect({ place }: Acceptor, encrypted: 'tls' | 'plain' = 'plain'): Promise<RawClient> {
  const client = await RawClient.connect(place.address.port as number, encrypted);
  clients.push(client);
  return client;
}

describe('a server that is accepted for in two places', () => {
  it.each(['http', 'https'] as const)('answers in both, %s', async (protocol) => {
    const answer: http.RequestListener = (_, response) => response.end('answer');
    const { own, beside } = await inTwoPlaces(
      protocol === 'http' ? http.createServer(answer) : https.createServer(certificate, answer),
    );
    for (const acceptor of [own, beside]) {
      const client = await connect(acceptor, protocol === 'https' ? 'tls' : 'plain');
      client.send(request);
      await client.until('answer');
      client.send(request);
      await client.until('answer', 2);
    }
  });

  it('counts the connections of both, and closes with the last of them', async () => {
    const { server, own, beside } = await inTwoPlaces(net.createServer((socket) => socket.resume().write('hello')));
    for (const acceptor of [own, beside]) await (await connect(acceptor)).until('hello');
    expect(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))).toBe(2);
    for (const acceptor of acceptors) acceptor.stop();
    const closed = once(server, 'close');
    for (const client of clients) client[Symbol.dispose]();
    await closed;
  });

  it('treats both alike', async () => {
    const sockets: net.Socket[] = [];
    const options = { allowHalfOpen: true, pauseOnConnect: true, noDelay: true };
    const { own, beside } = await inTwoPlaces(
      net.createServer(options, (socket) => {
        sockets.push(socket);
        socket.end('bye');
      }),
    );
    for (const acceptor of [own, beside]) await (await connect(acceptor)).until('bye');
    expect(sockets.map((socket) => [socket.allowHalfOpen, socket.isPaused()])).toEqual([
      [true, true],
      [true, true],
    ]);
    for (const socket of sockets) socket.destroy();
  });

  it('has one limit of connections, and is told of those beyond', async () => {
    const { server, own, beside } = await inTwoPlaces(net.createServer((socket) => socket.resume().write('hello')));
    server.maxConnections = 1;
    await (await connect(own)).until('hello');
    const dropped = once(server, 'drop');
    expect(await (await connect(beside)).closed).toBe('');
    expect(await dropped).toMatchObject([{ localPort: beside.place.address.port, remoteAddress: '127.0.0.1' }]);
  });
});

it('stops and starts again, without a loss of who comes in between', async () => {
  const { beside } = await inTwoPlaces(net.createServer((socket) => socket.resume().end('served')));
  expect(beside.accepting).toBe(true);
  beside.stop();
  beside.stop();
  expect(beside.accepting).toBe(false);
  const client = await connect(beside);
  await beside.start();
  expect(await client.closed).toBe('served');
});
