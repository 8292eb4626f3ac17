import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { givenSizeLimit, Mover, type PartingSource } from '../../../../lib/servers/moving/mover.ts';
import type { Departing } from '../../../../lib/transaction/connection-transfer.ts';

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

/** A batch that the test answers for. */
interface Sent {
  readonly size: number;
  received(): void;
  adopt(): void;
  /** Whether so many connections were sent by now, this batch included. */
  reaches(count: number): boolean;
}

/** A mover whose batches come out of `next()`, one by one. */
function moverByHand(): { mover: Mover; next: () => Promise<Sent> } {
  const sent: Sent[] = [];
  const waiting: ((batch: Sent) => void)[] = [];
  let total = 0;
  const mover = new Mover(
    (batch, received) =>
      new Promise((resolve) => {
        total += batch.length;
        const until = total;
        const one: Sent = {
          size: batch.length,
          received,
          adopt: () => resolve(new Set(batch)),
          reaches: (count) => until >= count,
        };
        const next = waiting.shift();
        if (next === undefined) sent.push(one);
        else next(one);
      }),
  );
  const next = () =>
    new Promise<Sent>((resolve) => {
      const one = sent.shift();
      if (one === undefined) waiting.push(resolve);
      else resolve(one);
    });
  return { mover, next };
}

const nothingSaid = { route: 'raw', head: Buffer.alloc(0), data: null };

function give(mover: Mover, socket: Socket, head = Buffer.alloc(0)): Promise<boolean> {
  return mover.give({ ...nothingSaid, socket, head });
}

test('what is given in one turn goes in batches of 64', async () => {
  const { mover, batches } = moverToAnybody();
  const all = await connected(130);
  expect(await Promise.all(all.map((socket) => give(mover, socket)))).toEqual(all.map(() => true));
  expect(batches).toEqual([64, 64, 2]);
});

test('of what is served until then few are taken at first, and what was given goes before', async () => {
  const { mover, next } = moverByHand();
  const left = await connected(20);
  const source: PartingSource = {
    take: (limit) => left.splice(0, limit).map((socket) => ({ ...nothingSaid, socket, settle: () => {} })),
  };
  mover.add(source);
  const first = await next();
  expect(first.size).toBe(4);
  const giving = (await connected(10)).map((socket) => give(mover, socket));
  first.adopt();
  const second = await next();
  // They are more than the pace has room for; the source waits.
  expect([second.size, left.length]).toEqual([10, 16]);
  second.adopt();
  expect(await Promise.all(giving)).toEqual(giving.map(() => true));
  const third = await next();
  expect(third.size).toBeLessThanOrEqual(16);
  for (let last = third; left.length > 0; last = await next()) last.adopt();
});

test('the next batch follows when the last one was received, one more when that one was adopted', async () => {
  const { mover, next } = moverByHand();
  const giving = (await connected(200)).map((socket) => give(mover, socket));
  const first = await next();
  const premature = next();
  await eventLoopTurn();
  expect(await Promise.race([premature, 'none'])).toBe('none');
  first.received();
  const second = await premature;
  second.received();
  const third = next();
  await eventLoopTurn();
  await eventLoopTurn();
  expect(await Promise.race([third, 'none'])).toBe('none');
  first.adopt();
  second.adopt();
  for (let last = await third; ; last = await next()) {
    last.adopt();
    if (last.reaches(200)) break;
  }
  expect(await Promise.all(giving)).toEqual(giving.map(() => true));
});

test('one that is given while the last batch is adopted goes, too', async () => {
  const { mover, next } = moverByHand();
  const [early, late] = (await connected(2)) as [Socket, Socket];
  const first = give(mover, early);
  const batch = await next();
  batch.received();
  await eventLoopTurn();
  await eventLoopTurn();
  const second = give(mover, late);
  const other = await next();
  other.adopt();
  expect(await second).toBe(true);
  batch.adopt();
  expect(await first).toBe(true);
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
