import { afterEach, beforeEach, expect, it } from 'vitest';
import { endOfLane } from '../../../lib/channel/lane-end.ts';
import { pipe } from '../../../lib/fd/descriptor.ts';
import { sendMessage } from '../../../lib/fd/message.ts';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { socketPair } from '../../../lib/fd/socket.ts';

let ours: OwnedFd;
let theirs: OwnedFd;

beforeEach(() => {
  const [one, other] = socketPair();
  ours = new OwnedFd(one, 'our end of a lane');
  theirs = new OwnedFd(other, 'their end of a lane');
});
afterEach(() => {
  ours.close();
  theirs.close();
});

/** Notes whether it has come; the looks are by a timer that keeps nothing alive, so that this one does. */
function watched(): { readonly ended: Promise<void>; has: boolean; [Symbol.dispose](): void } {
  const keep = setInterval(() => {}, 1_000);
  const watch = { ended: Promise.resolve(), has: false, [Symbol.dispose]: () => clearInterval(keep) };
  watch.ended = endOfLane(ours).then(() => {
    watch.has = true;
  });
  return watch;
}

it('comes when the peer has closed its end', async () => {
  using watch = watched();
  await new Promise(setImmediate);
  expect(watch.has).toBe(false);
  theirs.close();
  await watch.ended;
});

it('comes when our own end is closed: nobody is to look at that any more', async () => {
  using watch = watched();
  ours.close();
  await watch.ended;
});

it('a peer that still says something lives, be it descriptors that nobody has announced', async () => {
  using watch = watched();
  const [reader, writer] = pipe();
  using read = new OwnedFd(reader, 'a pipe');
  using written = new OwnedFd(writer, 'a pipe');
  sendMessage(theirs.fd, Buffer.from('F'), []);
  sendMessage(theirs.fd, Buffer.from('F'), [read.fd, written.fd]);
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(watch.has).toBe(false);
  theirs.close();
  await watch.ended;
});
