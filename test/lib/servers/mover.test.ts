import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Departing } from '../../../lib/handoff/connection-transfer.ts';
import { givenSizeLimit, Mover } from '../../../lib/servers/mover.ts';

let server: Server;
let sockets: Socket[] = [];

beforeEach(async () => {
  server = createServer((socket) => sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  server.close();
});

async function connected(count: number): Promise<Socket[]> {
  const { port } = server.address() as { port: number };
  const made = Array.from({ length: count }, () => connect(port, '127.0.0.1'));
  sockets.push(...made);
  await Promise.all(made.map((socket) => once(socket, 'connect')));
  return made;
}

/** A mover whose successor adopts all that it gets, with the sizes of the batches. */
function moverToAnybody(): { mover: Mover; batches: number[] } {
  const batches: number[] = [];
  const mover = new Mover(async (batch: readonly Departing[]) => {
    batches.push(batch.length);
    return new Set(batch);
  });
  return { mover, batches };
}

function give(mover: Mover, socket: Socket, head = Buffer.alloc(0)): Promise<boolean> {
  return mover.give({ route: 'raw', socket, head, data: null });
}

test('what is given in one turn goes in batches of 64', async () => {
  const { mover, batches } = moverToAnybody();
  const all = await connected(130);
  expect(await Promise.all(all.map((socket) => give(mover, socket)))).toEqual(all.map(() => true));
  expect(batches).toEqual([64, 64, 2]);
});

test('the copies of a batch are settled while the next one is under way', async () => {
  const all = await connected(65);
  let giving: Promise<boolean>[] = [];
  const mover = new Mover(async (batch) => {
    // The answer to the second batch waits for the first to be settled.
    if (batch.length === 1) await Promise.all(giving.slice(0, 64));
    return new Set(batch);
  });
  giving = all.map((socket) => give(mover, socket));
  expect(await Promise.all(giving)).toEqual(all.map(() => true));
});

test('however many have hung up, the others go', async () => {
  const { mover, batches } = moverToAnybody();
  const all = await connected(100);
  const giving = Promise.all(all.map((socket) => give(mover, socket)));
  for (const socket of all.slice(0, 70)) socket.destroy();
  const adopted = await giving;
  expect(adopted.filter((one) => one)).toHaveLength(30);
  expect(batches).toEqual([30]);
});

test('one that is written to or ended while it waits stays', async () => {
  const { mover, batches } = moverToAnybody();
  const [written, ended, other] = (await connected(3)) as [Socket, Socket, Socket];
  const giving = Promise.all([written, ended, other].map((socket) => give(mover, socket)));
  written.write(Buffer.alloc(20_000_000));
  ended.end();
  expect(await giving).toEqual([false, false, true]);
  expect(batches).toEqual([1]);
});

test('a batch carries no more than one connection may', async () => {
  const { mover, batches } = moverToAnybody();
  const all = await connected(3);
  const half = Buffer.alloc(givenSizeLimit / 2 - 100);
  const whole = Buffer.alloc(givenSizeLimit);
  const adopted = await Promise.all([half, half, whole].map((head, index) => give(mover, all[index] as Socket, head)));
  expect(adopted).toEqual([true, true, true]);
  expect(batches).toEqual([2, 1]);
});

test('a batch that cannot be sent stays', async () => {
  const mover = new Mover(() => Promise.reject(new Error('nobody there')));
  const [socket] = (await connected(1)) as [Socket];
  expect(await give(mover, socket)).toBe(false);
});
