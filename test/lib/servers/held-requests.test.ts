// What the library needs of an answer that is over is not the answer: that has its request, and with it a body.
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import http2 from 'node:http2';
import { setImmediate as turn } from 'node:timers/promises';
import tls from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Mover } from '../../../lib/servers/moving/mover.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { ServedServer } from '../../support/served-server.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Resolves when none of `held` is there any more; rejects where one is kept. */
async function collected(held: readonly WeakRef<object>[]): Promise<void> {
  const left = () => held.filter((reference) => reference.deref() !== undefined).length;
  for (let round = 0; round < 50; round++) {
    // What deref() has returned lives to the end of that turn: it is looked at in another one than it is collected in.
    await turn();
    collectGarbage();
    await turn();
    if (left() === 0) return;
  }
  expect(left()).toBe(0);
}

const post = 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody';

describe.each(['http', 'https'] as const)('of finished requests of an %s server nothing is held', (protocol) => {
  const start = async () => {
    const held: WeakRef<object>[] = [];
    const scene = await ServedServer.start(protocol, (request: IncomingMessage, response: ServerResponse) => {
      held.push(new WeakRef(request), new WeakRef(response));
      request.resume().on('error', () => {});
      request.once('end', () => response.end('answer'));
    });
    return { scene, held };
  };

  it('by connections that are idle', async () => {
    const { scene, held } = await start();
    await using _scene = scene;
    for (let count = 0; count < 3; count++) {
      const client = await scene.connect();
      client.send(post);
      await client.until('answer');
    }
    expect(held).toHaveLength(6);
    await collected(held);
  });

  it('by connections that have asked several at once', async () => {
    const { scene, held } = await start();
    await using _scene = scene;
    const client = await scene.connect();
    client.send(post.repeat(3));
    await client.until('answer', 3);
    await collected(held);
  });

  it('by a drain that was called off', async () => {
    const { scene, held } = await start();
    await using _scene = scene;
    const client = await scene.connect();
    const { connections } = scene.served;
    connections.announceClose();
    connections.keepOpen();
    client.send(post);
    await client.until('answer');
    connections.move(new Mover(async () => new Set()), 'route');
    connections.keepOpen();
    await collected(held);
  });

  it('while a drain goes on, once they are answered', async () => {
    const { scene, held } = await start();
    await using _scene = scene;
    const client = await scene.connect();
    client.send(post.slice(0, 9));
    await expect.poll(() => [...scene.served.connections.sockets][0]?.bytesRead).toBeGreaterThan(0);
    // It is taken when it is answered, and nothing says whether the successor has it.
    scene.served.connections.move(new Mover(() => new Promise(() => {})), 'route');
    client.send(post.slice(9));
    await client.until('answer');
    await collected(held);
  });

  it('by requests that their clients have given up', async () => {
    const { scene, held } = await start();
    await using _scene = scene;
    const client = await scene.connect();
    client.send(post.slice(0, -2));
    await expect.poll(() => held.length).toBe(2);
    client.socket.destroy();
    await scene.served.connections.empty();
    await collected(held);
  });
});

it('nor by the HTTP/1 clients of an http2 server', async () => {
  const held: WeakRef<object>[] = [];
  const server = http2.createSecureServer({ ...makeCertificate(), allowHTTP1: true }, (request, response) => {
    held.push(new WeakRef(request), new WeakRef(response));
    response.end('answer');
  });
  await using scene = await ServedServer.serve(server, 'https');
  const socket = tls.connect({ port: scene.port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(socket, 'data');
  await collected(held);
  socket.destroy();
});

it('nor is an upgrade request held as long as its connection lives', async () => {
  const held: WeakRef<object>[] = [];
  const server = http.createServer();
  server.on('upgrade', (request, socket) => {
    held.push(new WeakRef(request));
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nupgraded');
  });
  await using scene = await ServedServer.serve(server);
  const client = await scene.connect();
  client.send(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await client.until('upgraded');
  await collected(held);
});
