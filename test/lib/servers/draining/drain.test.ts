import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../support/eventually.ts';
import { never } from '../../../support/never.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { RawClient } from '../../../support/raw-client.ts';
import { ServedServer } from '../../../support/served-server.ts';

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

function drained(count: number, forced = 0) {
  return { how: 'drained', counts: { moved: 0, drained: count, forced } };
}

function count(text: string, part: string | RegExp): number {
  return text.split(part).length - 1;
}

describe.each(['http', 'https'] as const)('draining %s', (protocol) => {
  let descriptors: DescriptorCheck;
  let scene: ServedServer;
  /** Requests whose answer the test gives. */
  let held: { request: IncomingMessage; response: ServerResponse }[];

  beforeEach(async () => {
    descriptors = new DescriptorCheck();
    held = [];
    scene = await ServedServer.start(protocol, (request, response) => {
      if (request.url === '/held') held.push({ request, response });
      else response.end('answer');
    });
  });

  afterEach(async () => {
    await scene[Symbol.asyncDispose]();
    await descriptors[Symbol.asyncDispose]();
  });

  const heldRequest = request.replace('/', '/held');

  it('nothing: is over at once', async () => {
    expect(await scene.drain()).toEqual(drained(0));
  });

  it('counts one connection once', async () => {
    await scene.connect();
    await scene.connect();
    await eventually(() => scene.served.connections.sockets.size === 2);
  });

  it('many idle: those that outlast half of the time are closed bit by bit over the other half', async () => {
    const clients = await Promise.all(Array.from({ length: 30 }, () => scene.connect()));
    const steps: number[] = [];
    const { sockets } = scene.served.connections;
    await eventually(() => sockets.size === clients.length);
    const end = scene.drain({ total: 3_000 });
    let before = sockets.size;
    // Looked at more often than a step is made: a change between two looks is one step, or several on a slow machine.
    while (sockets.size > 0) {
      await turn();
      if (sockets.size < before) steps.push(before - sockets.size);
      before = sockets.size;
    }
    expect(await end).toEqual(drained(clients.length));
    expect(steps.length).toBeGreaterThan(4);
    expect(Math.max(...steps)).toBeLessThan(clients.length / 2);
  });

  it('idle: closed when the limit for idle ones is over', async () => {
    const client = await scene.connect();
    client.send(request);
    await client.until('answer');
    expect(await scene.drain({ idle: 1 })).toEqual(drained(1));
    expect(count(await client.closed, 'HTTP/1.1')).toBe(1);
  });

  it('idle: a request before that is answered, and told to be the last', async () => {
    const client = await scene.connect();
    client.send(request);
    await client.until('answer');
    const end = scene.drain();
    client.send(request);
    expect(await end).toEqual(drained(1));
    const received = await client.closed;
    expect(received).toMatch(/keep-alive.*Connection: close/s);
    expect(count(received, 'answer')).toBe(2);
  });

  it('idle at the total limit: closed, and not counted as cut off', async () => {
    const client = await scene.connect();
    client.send(request);
    await client.until('answer');
    expect(await scene.drain({ total: 1 })).toEqual(drained(1));
  });

  it('idle later than its limit: has no longer than those that were idle before', async () => {
    const client = await scene.connect();
    client.send(heldRequest);
    await eventually(() => held.length === 1);
    held[0]?.response.writeHead(200, { 'Content-Length': 6 }).flushHeaders();
    await client.until('\r\n\r\n');
    const end = scene.drain({ idle: 20 });
    await new Promise((resolve) => setTimeout(resolve, 40));
    held[0]?.response.end('answer');
    expect(await end).toEqual(drained(1));
    expect(await client.closed).toContain('answer');
  });

  it('silent: closed with the idle ones, and not counted as cut off', async () => {
    await scene.connect();
    expect(await scene.drain({ idle: 1 })).toEqual(drained(1));
  });

  it('silent: closed with the half-sent ones, and not counted as cut off', async () => {
    const client = await scene.connect();
    expect(await scene.drain({ halfSent: 1 })).toEqual(drained(1));
    expect(await client.closed).toBe('');
  });

  it('half a head: answered when the rest comes', async () => {
    const client = await scene.connect();
    client.send(request.slice(0, 20));
    await received(20);
    const end = scene.drain({ idle: 1 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.send(request.slice(20));
    expect(await end).toEqual(drained(1));
    expect(await client.closed).toMatch(/Connection: close.*answer/s);
  });

  it('half a head: told 408 when the rest does not come, and counted as cut off', async () => {
    const client = await scene.connect();
    client.send(request.slice(0, 20));
    await received(20);
    expect(await scene.drain({ halfSent: 1 })).toEqual(drained(0, 1));
    expect(await client.closed).toBe('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n');
  });

  it('half a head of a second request: the same', async () => {
    const client = await scene.connect();
    client.send(request + request.slice(0, 20));
    await client.until('answer');
    await received(request.length + 20);
    expect(await scene.drain({ idle: 1, halfSent: 20 })).toEqual(drained(0, 1));
    expect(await client.closed).toMatch(/answerHTTP\/1.1 408/);
  });

  it('half a head at the total limit: counted once', async () => {
    const client = await scene.connect();
    client.send(request.slice(0, 20));
    await received(20);
    expect(await scene.drain({ halfSent: 1, total: 1 })).toEqual(drained(0, 1));
  });

  const body = 'POST /held HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345';

  it('half a body: read to its end and answered', async () => {
    const client = await scene.connect();
    client.send(body);
    await eventually(() => held.length === 1);
    const end = scene.drain({ idle: 1, halfSent: 1 });
    const [{ request, response }] = held as [(typeof held)[0]];
    request.resume().on('end', () => response.end('thanks'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.send('67890');
    expect(await end).toEqual(drained(1));
    expect(await client.closed).toMatch(/Connection: close.*thanks/s);
  });

  it('half a body whose rest does not come: cut off at the total limit', async () => {
    const client = await scene.connect();
    client.send(body);
    await eventually(() => held.length === 1);
    expect(await scene.drain({ idle: 1, halfSent: 1, total: 50 })).toEqual(drained(0, 1));
    expect(await client.closed).toBe('');
  });

  it('a slow response: waited for, and told to be the last', async () => {
    const client = await scene.connect();
    client.send(heldRequest);
    await eventually(() => held.length === 1);
    const end = scene.drain({ idle: 1, halfSent: 1 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    held[0]?.response.end('slow');
    expect(await end).toEqual(drained(1));
    expect(await client.closed).toMatch(/Connection: close.*slow/s);
  });

  it('a slow response at the total limit: cut off and counted', async () => {
    const client = await scene.connect();
    client.send(heldRequest);
    await eventually(() => held.length === 1);
    expect(await scene.drain({ total: 1 })).toEqual(drained(0, 1));
    expect(await client.closed).toBe('');
  });

  it('a streaming response whose head was sent before: comes to its end, and the next request is told to be the last', async () => {
    const client = await scene.connect();
    client.send(heldRequest);
    await eventually(() => held.length === 1);
    held[0]?.response.write('first,');
    await client.until('first,');
    const end = scene.drain({ halfSent: 1 });
    held[0]?.response.end('last');
    await client.until('0\r\n\r\n');
    client.send(request);
    expect(await end).toEqual(drained(1));
    const text = await client.closed;
    expect(text).toMatch(/Connection: keep-alive.*first,.*last.*Connection: close.*answer/s);
  });

  it('busy with pipelined requests: every one that has come is answered, the last one says close', async () => {
    const client = await scene.connect();
    client.send(heldRequest.repeat(3));
    await eventually(() => held.length === 3);
    const end = scene.drain({ idle: 1, halfSent: 1 });
    client.send(heldRequest);
    await eventually(() => held.length === 4);
    for (const { response } of held) response.end('pipelined');
    expect(await end).toEqual(drained(1));
    const text = await client.closed;
    expect(count(text, 'pipelined')).toBe(4);
    expect(count(text, 'Connection: close')).toBe(1);
    expect(text).toMatch(/Connection: close.*pipelined$|Connection: close.*pipelined\r\n0\r\n\r\n$/s);
  });

  it('a busy client: gets no second answer on a connection that was told to be closed', async () => {
    const client = await scene.connect();
    client.send(request);
    await client.until('answer');
    const end = scene.drain();
    client.send(request);
    await end;
    expect(count(await client.closed, 'answer')).toBe(2);
  });

  it('an upgraded socket: left alone until everything is cut off', async () => {
    const upgraded = once(scene.served.server, 'upgrade') as Promise<[IncomingMessage, Duplex]>;
    const client = await scene.connect();
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    const [, socket] = await upgraded;
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.on('data', (chunk: Buffer) => socket.write(chunk));
    socket.on('error', () => {});
    await client.until('101');
    const force = new AbortController();
    const end = scene.drain({ idle: 1, halfSent: 1 }, force.signal);
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.send('still there');
    await client.until('still there');
    force.abort();
    expect(await end).toEqual(drained(0, 1));
  });

  it('an upgraded socket that its application closes: drained', async () => {
    const upgraded = once(scene.served.server, 'upgrade') as Promise<[IncomingMessage, Duplex]>;
    const client = await scene.connect();
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    const [, socket] = await upgraded;
    const end = scene.drain();
    socket.end('bye');
    expect(await end).toEqual(drained(1));
    expect(await client.closed).toBe('bye');
  });

  it('the hammer cuts everything off at once', async () => {
    const clients = [await scene.connect(), await scene.connect(), await scene.connect()];
    clients[0]?.send(heldRequest);
    clients[1]?.send(request.slice(0, 9));
    clients[2]?.send(request);
    await clients[2]?.until('answer');
    await eventually(() => held.length === 1);
    await eventually(() => [...scene.served.connections.sockets].every(({ bytesRead }) => bytesRead > 0));
    const force = new AbortController();
    const end = scene.drain({}, force.signal);
    force.abort();
    expect(await end).toEqual(drained(1, 2));
  });

  it('the hammer that fell before does, too', async () => {
    const client = await scene.connect();
    client.send(heldRequest);
    await eventually(() => held.length === 1);
    expect(await scene.drain({}, AbortSignal.abort())).toEqual(drained(0, 1));
  });

  it('a client that leaves is drained', async () => {
    const client = await scene.connect();
    client.send(heldRequest);
    await eventually(() => held.length === 1);
    const end = scene.drain();
    client.socket.destroy();
    expect(await end).toEqual(drained(1));
  });

  it('what came by emit("connection") is waited for: Node’s close() calls back although its request is in flight', async () => {
    const bare = net.createServer({ allowHalfOpen: true }, (socket) => scene.served.server.emit('connection', socket));
    await once(bare.listen(0, '127.0.0.1'), 'listening');
    const { port } = bare.address() as net.AddressInfo;
    using client = await RawClient.connect(port, protocol === 'https' ? 'tls' : 'plain');
    client.send(heldRequest);
    await eventually(() => held.length === 1);
    const closed = once(scene.served.server, 'close');
    const end = scene.drain();
    await closed;
    held[0]?.response.end('waited for');
    expect(await end).toEqual(drained(1));
    expect(await client.closed).toContain('waited for');
    bare.close();
  });

  describe('cancelled', () => {
    it('serves again on the same listener, with keep-alive as before', async () => {
      const client = await scene.connect();
      client.send(request);
      await client.until('answer');
      client.send(heldRequest);
      await eventually(() => held.length === 1);
      const cancel = new AbortController();
      const end = scene.drain({}, never, cancel.signal);
      cancel.abort();
      expect(await end).toEqual({ how: 'cancelled' });
      await scene.served.accept();
      held[0]?.response.end('unclosed');
      await client.until('unclosed');
      client.send(request);
      await client.until('answer', 2);
      const another = await scene.connect();
      another.send(request.repeat(2));
      await another.until('answer', 2);
      expect(client.received + another.received).not.toContain('Connection: close');
    });

    it('after it was over, and the server was closed: the same', async () => {
      const closed = once(scene.served.server, 'close');
      expect(await scene.drain()).toEqual(drained(0));
      await closed;
      await scene.served.accept();
      const client = await scene.connect();
      client.send(request.repeat(2));
      await client.until('answer', 2);
      expect(client.received).not.toContain('Connection: close');
      expect(await scene.drain({ idle: 1 })).toEqual(drained(1));
    });

    it('again and again', async () => {
      for (let round = 0; round < 5; round++) {
        expect(await scene.drain({}, never, AbortSignal.abort())).toEqual({ how: 'cancelled' });
        await scene.served.accept();
        const client = await scene.connect();
        client.send(request);
        await client.until('answer');
      }
      expect(await scene.drain({ idle: 1 })).toEqual(drained(5));
    });

    it('leaves an answer alone whose client wanted it to be the last', async () => {
      const client = await scene.connect();
      client.send(heldRequest.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
      await eventually(() => held.length === 1);
      await scene.drain({}, never, AbortSignal.abort());
      await scene.served.accept();
      held[0]?.response.end('as asked');
      expect(await client.closed).toMatch(/Connection: close.*as asked/s);
    });
  });

  /** Waits until the server has read that many bytes of the only connection. */
  async function received(bytes: number): Promise<void> {
    await eventually(() => {
      const [socket] = scene.served.connections.sockets;
      return socket !== undefined && socket.bytesRead >= bytes;
    });
  }
});

describe('a handshake that does not come to its end', () => {
  let scene: ServedServer;
  beforeEach(async () => {
    scene = await ServedServer.start('https', (_, response) => response.end());
  });
  afterEach(() => scene[Symbol.asyncDispose]());

  it('that has not begun is idle', async () => {
    const client = await scene.connect('plain');
    expect(await scene.drain({ idle: 1 })).toEqual(drained(1));
    expect(await client.closed).toBe('');
  });

  it('that has begun is half-sent', async () => {
    const client = await scene.connect('plain');
    client.send('\x16\x03\x01');
    await eventually(() => [...scene.served.connections.sockets].every(({ bytesRead }) => bytesRead === 3));
    expect(await scene.drain({ idle: 1, halfSent: 20 })).toEqual(drained(0, 1));
    expect(await client.closed).toBe('');
  });
});
