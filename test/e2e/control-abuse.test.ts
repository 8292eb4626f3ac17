import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { encodeFrame, FrameDecoder } from '../../lib/channel/frame.ts';
import { ask } from '../support/ask.ts';
import { Scene } from '../support/scene.ts';

interface Reply {
  readonly name: string;
  readonly code: unknown;
  readonly message: unknown;
}

/** Connects, writes `bytes`, and resolves with what the server says before it closes. */
function converse(path: string, bytes: Buffer | null, end = false): Promise<Reply[]> {
  return new Promise((resolve) => {
    const socket = connect({ path, allowHalfOpen: true });
    const decoder = new FrameDecoder();
    const replies: Reply[] = [];
    socket.on('data', (chunk) => {
      for (const { name, payload } of decoder.push(chunk)) {
        replies.push({ name, code: payload.code, message: payload.message });
      }
    });
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.on('close', () => resolve(replies));
    if (bytes !== null) socket.write(bytes);
    if (end) socket.end();
  });
}

const token = 'a'.repeat(32);
const hello = { protocol: [1], intent: 'takeover', pid: process.pid, token, features: [] };

const abuses: { title: string; bytes: Buffer | null; code: string }[] = [
  {
    title: 'an HTTP request',
    bytes: Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    code: 'ERR_HANDOFF_PROTOCOL',
  },
  {
    title: 'random bytes',
    bytes: Buffer.concat([Buffer.from([0x80]), randomBytes(999)]),
    code: 'ERR_HANDOFF_PROTOCOL',
  },
  { title: 'a frame over the limit', bytes: Buffer.from([0x01, 0x00, 0x00, 0x01, 0x01]), code: 'ERR_HANDOFF_PROTOCOL' },
  { title: 'a frame of length 0', bytes: Buffer.from([0, 0, 0, 0, 0, 0]), code: 'ERR_HANDOFF_PROTOCOL' },
  {
    title: 'a HELLO that is not JSON',
    bytes: Buffer.from([0, 0, 0, 4, 1, 0x7b, 0x7b, 0x7b]),
    code: 'ERR_HANDOFF_PROTOCOL',
  },
  { title: 'another frame than HELLO', bytes: encodeFrame('DESCRIPTORS', { count: 1 }), code: 'ERR_HANDOFF_PROTOCOL' },
  {
    title: 'another version of the protocol',
    bytes: encodeFrame('HELLO', { ...hello, protocol: [99] }),
    code: 'ERR_HANDOFF_VERSION',
  },
  {
    title: 'an unknown intent',
    bytes: encodeFrame('HELLO', { ...hello, intent: 'dance' }),
    code: 'ERR_HANDOFF_REFUSED',
  },
  {
    title: 'a token that is none',
    bytes: encodeFrame('HELLO', { ...hello, token: 'zzz' }),
    code: 'ERR_HANDOFF_PROTOCOL',
  },
  {
    title: 'a lane with a wrong token',
    bytes: Buffer.from('not a token at all, is it now......\n'),
    code: 'ERR_HANDOFF_PROTOCOL',
  },
  { title: 'a HELLO without a lane', bytes: encodeFrame('HELLO', hello), code: 'ERR_HANDOFF_TIMEOUT' },
  { title: 'nothing at all', bytes: null, code: 'ERR_HANDOFF_TIMEOUT' },
];

test('bad input on the control socket is refused with a clear error, and the service does not notice', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const { addresses } = await first.ready(0);
  const { port } = (addresses as { port: number }[])[0] as { port: number };
  const before = readdirSync(`/proc/${first.pid}/fd`).length;

  const replies = await Promise.all(abuses.map(({ bytes }) => converse(scene.control, bytes)));
  for (const [index, { title, code }] of abuses.entries()) {
    expect({ title, last: replies[index]?.at(-1) }).toMatchObject({
      title,
      last: { code, message: expect.any(String) },
    });
  }
  expect((await ask({ port })).servedBy).toBe(first.pid);
  await expect.poll(() => readdirSync(`/proc/${first.pid}/fd`).length).toBeLessThanOrEqual(before);
  expect(first.told.filter(({ event }) => event === 'offer' || event === 'error')).toEqual([]);

  const second = scene.server();
  await second.ready(1);
  expect((await ask({ port })).servedBy).toBe(second.pid);
});

test('connections that are cut after every possible number of bytes leave nothing behind', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const { addresses } = await first.ready(0);
  const { port } = (addresses as { port: number }[])[0] as { port: number };
  const before = readdirSync(`/proc/${first.pid}/fd`).length;
  const bytes = encodeFrame('HELLO', hello);
  for (let length = 0; length < bytes.length; length++) await converse(scene.control, bytes.subarray(0, length), true);
  expect((await ask({ port })).servedBy).toBe(first.pid);
  await expect.poll(() => readdirSync(`/proc/${first.pid}/fd`).length).toBeLessThanOrEqual(before);
});

test('a crowd of silent visitors does not hurt the service, and a successor gets through after it', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const { addresses } = await first.ready(0);
  const { port } = (addresses as { port: number }[])[0] as { port: number };
  const crowd: Socket[] = Array.from({ length: 300 }, () => connect(scene.control).on('error', () => {}));
  for (let request = 0; request < 50; request++) expect((await ask({ port })).servedBy).toBe(first.pid);
  for (const visitor of crowd) visitor.destroy();
  const second = scene.server();
  await second.ready(1);
});
