import { once } from 'node:events';
import { openSync } from 'node:fs';
import http from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { Estate } from '../../../../lib/servers/estate/estate.ts';
import { descriptorOf, stopReading } from '../../../../lib/servers/internals/sockets.ts';
import { Mover } from '../../../../lib/servers/moving/mover.ts';
import { drainOrder } from '../../../support/drain-order.ts';
import { eventually } from '../../../support/eventually.ts';

const cleanups: (() => unknown)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function connection(server: Server = createServer()): Promise<{ client: Socket; served: Socket }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [served] = await accepted;
  cleanups.push(() => {
    client.destroy();
    served.destroy();
    server.close();
  });
  return { client, served };
}

/** A mover whose successor adopts all that it gets. */
function moverToAnybody(): { mover: Mover; sent: { head: string; data: unknown }[] } {
  const sent: { head: string; data: unknown }[] = [];
  const mover = new Mover(async (batch) => {
    for (const { head, data } of batch) sent.push({ head: head.toString(), data });
    return new Set(batch);
  });
  return { mover, sent };
}

function moveOf(socket: Socket) {
  return { route: 'raw', socket, head: Buffer.alloc(0), data: null, timeout: 1000 };
}

/** The connection as it arrives from a predecessor that keeps its own copy. */
function arriving(socket: Socket, head = '') {
  const descriptor = OwnedFd.dup(descriptorOf(socket), 'a connection');
  return { route: 'raw', descriptor, head: Buffer.from(head), data: { of: 'ours' } };
}

test('the same connection is moved once, however often that is asked for', async () => {
  const { served } = await connection();
  const { mover, sent } = moverToAnybody();
  const estate = new Estate(null);
  const first = estate.moved.move(mover, { ...moveOf(served), head: Buffer.from('half') });
  const second = estate.moved.move(mover, moveOf(served));
  expect(await Promise.all([first, second])).toEqual([true, true]);
  expect(sent).toEqual([{ head: 'half', data: null }]);
  expect(served.destroyed).toBe(true);
});

test('one that an HTTP server reads is refused, and read on', async () => {
  const server = http.createServer((_request, response) => response.end('hello'));
  const { client, served } = await connection(server);
  expect(() => new Estate(null).moved.move(moverToAnybody().mover, moveOf(served))).toThrow(
    expect.objectContaining({ code: 'ERR_HANDOFF_REFUSED' }),
  );
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const [answer] = await once(client, 'data');
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 OK/);
});

test('more than a frame carries is refused', async () => {
  const { served } = await connection();
  const { mover } = moverToAnybody();
  const large = { ...moveOf(served), data: 'x'.repeat(8 * 1024 * 1024) };
  expect(() => new Estate(null).moved.move(mover, large)).toThrow(
    expect.objectContaining({ code: 'ERR_HANDOFF_REFUSED' }),
  );
  expect(served.destroyed).toBe(false);
});

test('data that JSON does not know is refused, and a connection that is gone is not moved', async () => {
  const { served } = await connection();
  const { mover, sent } = moverToAnybody();
  const estate = new Estate(null);
  expect(() => estate.moved.move(mover, { ...moveOf(served), data: undefined as never })).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
  );
  served.destroy();
  expect(await estate.moved.move(mover, moveOf(served))).toBe(false);
  expect(sent).toEqual([]);
});

test('an adopter that closes the connection has served it, and a drain does not wait for that', async () => {
  const { client, served } = await connection();
  const estate = new Estate(null);
  estate.moved.adopter('raw', (socket) => void socket.destroy());
  const arrived = arriving(served);
  served.destroy();
  expect(estate.moved.adopt(arrived, () => {})).toBe(true);
  await once(client.resume(), 'end');
  expect(await estate.drain(drainOrder())).toEqual({ how: 'drained', counts: { moved: 0, drained: 0, forced: 0 } });
});

test('what was adopted is waited for by a drain, and counted', async () => {
  const { client, served } = await connection();
  const estate = new Estate(null);
  let adopted: Socket | null = null;
  estate.moved.adopter('raw', (socket, data) => {
    adopted = socket;
    socket.write(JSON.stringify(data));
  });
  expect(estate.moved.adopt(arriving(served), () => {})).toBe(true);
  expect((await once(client, 'data')).toString()).toBe('{"of":"ours"}');
  const end = estate.drain(drainOrder());
  expect(await Promise.race([end, Promise.resolve('waiting')])).toBe('waiting');
  expect(await estate.moved.move(moverToAnybody().mover, moveOf(adopted as unknown as Socket))).toBe(true);
  expect(await end).toEqual({ how: 'drained', counts: { moved: 1, drained: 0, forced: 0 } });
});

test('an adopter that throws has refused, is told, and holds nothing', async () => {
  const { client, served } = await connection();
  const estate = new Estate(null);
  const errors: unknown[] = [];
  estate.moved.adopter('raw', () => {
    throw new Error('no');
  });
  expect(estate.moved.adopt(arriving(served, 'head'), (error) => errors.push(error))).toBe(false);
  expect(errors).toEqual([new Error('no')]);
  served.write('still here');
  expect((await once(client, 'data')).toString()).toBe('still here');
});

test('what cannot be a socket is refused, and closed by whoever has received it', async () => {
  const estate = new Estate(null);
  estate.moved.adopter('raw', () => {});
  const descriptor = new OwnedFd(openSync('/dev/null', 'r'), 'no socket');
  const noSocket = { route: 'raw', descriptor, head: Buffer.alloc(0), data: null };
  expect(estate.moved.adopt(noSocket, () => {})).toBe(false);
  expect(descriptor.closed).toBe(false);
  descriptor.close();
});

describe("a 'readable' listener of the adopter hears of bytes that are there already", () => {
  const ways: [string, (socket: Socket, hear: () => void) => unknown][] = [
    ['that is added at once', (socket, hear) => socket.on('readable', hear)],
    ['that is added once', (socket, hear) => socket.once('readable', hear)],
    ['that is added in another turn', (socket, hear) => setImmediate(() => socket.on('readable', hear))],
    [
      'that is added when all has been read',
      async (socket, hear) => {
        await eventually(() => socket.readableLength === 'head and kernel'.length);
        socket.once('readable', hear);
      },
    ],
    [
      'of an HTTP server whose first bytes somebody else reads',
      (socket, hear) => {
        const server = http.createServer().removeAllListeners('connection');
        server.on('connection', (given: Socket) => given.once('readable', hear)).emit('connection', socket);
      },
    ],
  ];

  test.each(ways)('%s', async (_, listen) => {
    const { client, served } = await connection();
    stopReading(served);
    client.write(' and kernel');
    const estate = new Estate(null);
    let text = '';
    estate.moved.adopter('raw', (socket) => {
      const hear = () => {
        for (let bytes = socket.read(); bytes !== null; bytes = socket.read()) text += bytes;
        socket.once('readable', hear);
      };
      listen(socket, hear);
    });
    expect(estate.moved.adopt(arriving(served, 'head'), () => {})).toBe(true);
    await eventually(
      () => text === 'head and kernel',
      () => text,
    );
  });
});

test.each(['at once', 'later'])("one that the adopter gives to a server here %s is that server's own", async (when) => {
  const { client, served } = await connection();
  await using server = createServer((socket) => socket.pipe(socket));
  const estate = new Estate(null);
  const { place } = await estate.listen(server, { port: 0, host: '127.0.0.1' });
  cleanups.push(() => estate.remove());
  await estate.accept();
  estate.moved.adopter('raw', async (socket) => {
    if (when === 'later') await once(client, 'data');
    server.emit('connection', socket);
  });
  expect(estate.moved.adopt(arriving(served), () => {})).toBe(true);
  served.write('now');
  const count = promisify(server.getConnections.bind(server));
  await expect.poll(count).toBe(1);
  const closed = vi.fn();
  server.close(closed);
  await once(client.resume().end(), 'close');
  await eventually(() => closed.mock.calls.length === 1);
  expect(place.closed).toBe(true);
});
