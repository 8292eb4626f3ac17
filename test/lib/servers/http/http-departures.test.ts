import { once } from 'node:events';
import http, { type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpConnections } from '../../../../lib/servers/http/http-connections.ts';
import { Mover, type SendBatch } from '../../../../lib/servers/moving/mover.ts';
import { eventually } from '../../../support/eventually.ts';
import { RawClient } from '../../../support/raw-client.ts';

const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('the departures of a server', () => {
  let server: http.Server;
  let connections: HttpConnections;
  let held: ServerResponse[];
  let clients: RawClient[];

  beforeEach(async () => {
    held = [];
    clients = [];
    server = http.createServer((request, response) => {
      if (request.url === '/held') held.push(response);
      else response.end('answer');
    });
    connections = new HttpConnections(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterEach(async () => {
    for (const client of clients) client[Symbol.dispose]();
    connections.destroyAll();
    connections.forget();
    server.close();
  });

  const connect = async (): Promise<RawClient> => {
    const before = connections.sockets.size;
    const client = await RawClient.connect((server.address() as AddressInfo).port);
    clients.push(client);
    await eventually(() => connections.sockets.size > before);
    return client;
  };
  const idle = async (): Promise<RawClient> => {
    const client = await connect();
    client.send(get);
    await client.until('answer');
    return client;
  };
  const busy = async (): Promise<RawClient> => {
    const client = await connect();
    const before = held.length;
    client.send(get.replace('/', '/held'));
    await eventually(() => held.length > before);
    return client;
  };
  const move = (send: SendBatch) => connections.move(new Mover(send), 'route');
  const takeAll: SendBatch = async (batch) => new Set(batch);
  const takeNone: SendBatch = async () => new Set();

  it('take with an answer that ends, in that turn, what asks again in the instant of it', async () => {
    const client = await busy();
    const read: number[] = [];
    const [socket] = connections.sockets as Set<Socket>;
    move(async (batch) => {
      read.push(socket?.bytesRead ?? 0);
      return new Set(batch);
    });
    client.socket.once('data', () => client.send(get));
    held[0]?.end('answer');
    await eventually(() => connections.moved === 1);
    // What it has sent since is in the kernel, and goes along with the descriptor.
    expect(read).toEqual([get.length + '/held'.length - 1]);
  });

  it('serve on what the successor does not take, and say with the next answer that it is the last', async () => {
    const client = await idle();
    move(takeNone);
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.send(get);
    expect(await client.closed).toMatch(/keep-alive.*answer.*Connection: close.*answer$/s);
    expect(connections.moved).toBe(0);
  });

  it('serve clients where the successor takes nothing for a while, and go on when it does again', async () => {
    const client = await busy();
    let answerNow = () => {};
    const stopped = new Promise<void>((resolve) => {
      answerNow = resolve;
    });
    await idle();
    let sent = 0;
    move(async (batch, received) => {
      sent += batch.length;
      await stopped;
      received();
      return new Set(batch);
    });
    await eventually(() => sent === 1);
    held[0]?.end('answer');
    await client.until('answer');
    // Nobody reads from it at first; but it does not wait for a successor that is stopped.
    client.send(get);
    await client.until('answer', 2);
    answerNow();
    await eventually(() => connections.moved === 2);
  });

  it('let go of everything that they hold where the drain is called off', async () => {
    const client = await busy();
    move(() => new Promise(() => {}));
    held[0]?.end('answer');
    await client.until('answer');
    connections.keepOpen();
    client.send(get);
    await client.until('answer', 2);
    expect(client.received).not.toContain('Connection: close');
  });

  it('are told to end by their answers where half of the time is over and they are there still', async () => {
    const client = await busy();
    move(takeNone);
    connections.tellAll();
    held[0]?.end('answer');
    await client.until('answer');
    client.send(get);
    expect(await client.closed).toMatch(/Connection: close.*answer$/s);
  });

  it('do not take what has begun to ask, and take it when that is answered', async () => {
    const client = await idle();
    client.send(get.slice(0, 9));
    await eventually(() => [...connections.sockets].every((socket) => socket.bytesRead > get.length));
    move(takeAll);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(connections.moved).toBe(0);
    client.send(get.slice(9));
    await client.until('answer', 2);
    await eventually(() => connections.moved === 1);
  });
});
