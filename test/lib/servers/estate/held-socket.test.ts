import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { HeldSocket } from '../../../../lib/servers/estate/held-socket.ts';
import { unreadBytes } from '../../../../lib/servers/internals/sockets.ts';
import { eventually } from '../../../support/eventually.ts';

const cleanups: (() => unknown)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** The two ends of a connection. */
async function connection(): Promise<{ client: Socket; served: Socket }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [served] = await accepted;
  client.on('error', () => {});
  cleanups.push(() => {
    client.destroy();
    served.destroy();
    server.close();
  });
  return { client, served };
}

function hold(socket: Socket): HeldSocket {
  const held = HeldSocket.hold(socket);
  if (held === null) throw new Error('the socket could not be held');
  return held;
}

/** Collects what a 'data' listener gets. */
function listen(socket: Socket): { text: string } {
  const got = { text: '' };
  socket.on('data', (chunk: Buffer | string) => {
    got.text += chunk.toString();
  });
  return got;
}

describe('what Node has read and the application has not', () => {
  test('is seen without being taken, in however many pieces it came', async () => {
    const { client, served } = await connection();
    const got = listen(served);
    served.pause();
    client.write('one ');
    await eventually(() => served.readableLength === 4);
    client.write('two');
    await eventually(() => served.readableLength === 7);
    const held = hold(served);
    expect(held.unread.toString()).toBe('one two');
    expect(got.text).toBe('');
    held.release();
    expect(got.text).toBe('');
    served.resume();
    await eventually(() => got.text === 'one two');
  });

  test('after a part of it was taken', async () => {
    const { client, served } = await connection();
    served.on('readable', () => {});
    client.write('one ');
    await eventually(() => served.readableLength === 4);
    client.write('two');
    await eventually(() => served.readableLength === 7);
    expect(served.read(5).toString()).toBe('one t');
    expect(unreadBytes(served)?.toString()).toBe('wo');
  });

  test('with the bytes of a character that has not come whole', async () => {
    const { client, served } = await connection();
    const got = listen(served.setEncoding('utf8'));
    served.pause();
    const bytes = Buffer.from('ü€');
    client.write(bytes.subarray(0, 4));
    await eventually(() => served.bytesRead === 4);
    const held = hold(served);
    expect(held.unread).toEqual(bytes.subarray(0, 4));
    held.release();
    served.resume();
    client.write(bytes.subarray(4));
    await eventually(() => got.text === 'ü€');
  });

  test('beyond what a stream buffers: it is not read anew', async () => {
    const { client, served } = await connection();
    listen(served);
    served.pause();
    client.write(Buffer.alloc(4_000_000, 'x'));
    await eventually(() => served.readableLength >= served.readableHighWaterMark);
    const held = hold(served);
    const { bytesRead } = served;
    expect(held.unread.length).toBe(bytesRead);
    served.resume();
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(served.bytesRead).toBe(bytesRead);
  });
});

describe('a held socket', () => {
  test('gives nothing to its listeners, and everything in order when it is released', async () => {
    const { client, served } = await connection();
    const got = listen(served);
    client.write('before ');
    await eventually(() => got.text === 'before ');
    const held = hold(served);
    client.write('meanwhile ');
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(got.text).toBe('before ');
    held.release();
    client.write('after');
    await eventually(() => got.text === 'before meanwhile after');
  });

  test('is not resumed behind its back', async () => {
    const { client, served } = await connection();
    const got = listen(served);
    served.pause();
    client.write('hello');
    await eventually(() => served.readableLength === 5);
    const held = hold(served);
    served.resume();
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(got.text).toBe('');
    held.release();
    expect(got.text).toBe('hello');
  });

  test('is read by an iterator again when it is released', async () => {
    const { client, served } = await connection();
    const chunks = served[Symbol.asyncIterator]();
    const first = chunks.next();
    client.write('one');
    expect((await first).value.toString()).toBe('one');
    const held = hold(served);
    const second = chunks.next();
    client.write('two');
    held.release();
    expect((await second).value.toString()).toBe('two');
  });

  test('that is relinquished is closed without a word, and what was unread is nobody’s', async () => {
    const { client, served } = await connection();
    const got = listen(served);
    served.pause();
    client.write('hello');
    await eventually(() => served.readableLength === 5);
    const held = hold(served);
    const closed = once(served, 'close');
    held.relinquish();
    await closed;
    expect(served.readableLength).toBe(0);
    expect(got.text).toBe('');
  });

  test.each([
    ['destroyed', (socket: Socket) => socket.destroy()],
    ['being ended', (socket: Socket) => socket.end()],
  ])('cannot be one that is %s', async (_, close) => {
    const { served } = await connection();
    close(served);
    expect(HeldSocket.hold(served)).toBeNull();
  });
});

describe('flushing', () => {
  test('has nothing to wait for where nothing is written', async () => {
    const { served } = await connection();
    expect(await hold(served).flush(0)).toBe(true);
  });

  test('waits for the client to read', async () => {
    const { client, served } = await connection();
    served.write(Buffer.alloc(20_000_000));
    expect(served.writableLength).toBeGreaterThan(0);
    const flushed = hold(served).flush(30_000);
    client.resume();
    expect(await flushed).toBe(true);
    expect(served.writableLength).toBe(0);
  });

  test('gives up when its time is over, and when the connection is closed', async () => {
    const { client, served } = await connection();
    served.on('error', () => {});
    served.write(Buffer.alloc(20_000_000));
    const held = hold(served);
    expect(await held.flush(10)).toBe(false);
    const flushed = held.flush(30_000);
    client.resetAndDestroy();
    served.destroy();
    expect(await flushed).toBe(false);
  });
});

test('where Node does not tell what it has read, the socket is not held, and is read on', async () => {
  const { client, served } = await connection();
  const got = listen(served);
  const state = (served as unknown as { _readableState: { buffer: unknown } })._readableState;
  const { buffer } = state;
  state.buffer = undefined;
  expect(HeldSocket.hold(served)).toBeNull();
  state.buffer = buffer;
  client.write('more');
  await eventually(() => got.text === 'more');
});
