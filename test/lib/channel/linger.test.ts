import { once } from 'node:events';
import type net from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { endGently } from '../../../lib/channel/linger.ts';
import { connectedSockets } from '../../support/channel-pair.ts';

let ours: net.Socket;
let theirs: net.Socket;

beforeEach(() => {
  [ours, theirs] = connectedSockets();
  for (const socket of [ours, theirs]) socket.on('error', () => {});
});
afterEach(() => {
  vi.useRealTimers();
  ours.destroy();
  theirs.destroy();
});

it('the peer reads everything that was said, though it goes on writing, and then both are closed', async () => {
  // More than a socket's buffer: it is not over when the last word is written here.
  const said = Buffer.alloc(4 * 1024 * 1024, 'x');
  ours.write(said);
  endGently(ours);
  let heard = 0;
  theirs.on('data', (chunk: Buffer) => {
    heard += chunk.length;
    theirs.write('what nobody reads');
  });
  await once(theirs, 'end');
  expect(heard).toBe(said.length);
  theirs.end();
  await Promise.all([ours, theirs].map((socket) => socket.closed || once(socket, 'close')));
});

it('a peer that never closes its end keeps nobody for longer than a second', async () => {
  const [one, other] = connectedSockets();
  other.allowHalfOpen = true;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  endGently(one);
  vi.advanceTimersByTime(999);
  expect(one.destroyed).toBe(false);
  vi.advanceTimersByTime(1);
  expect(one.destroyed).toBe(true);
  other.destroy();
});

it('leaves no timer where it is over, and one that is destroyed is left alone', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  endGently(ours);
  theirs.destroy();
  await once(ours, 'close');
  endGently(ours);
  expect(vi.getTimerCount()).toBe(0);
});
