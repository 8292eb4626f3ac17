import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { batchLimit } from '../../../lib/channel/channel.ts';
import { encodeFrame } from '../../../lib/channel/frame.ts';
import { createToken } from '../../../lib/channel/token.ts';
import { getCloseOnExec } from '../../../lib/fd/descriptor.ts';
import { sendMessage } from '../../../lib/fd/message.ts';
import { ChannelPair } from '../../support/channel-pair.ts';
import { FileDescriptors } from '../../support/file-descriptors.ts';
import { never } from '../../support/never.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let pair: ChannelPair;

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  pair = new ChannelPair();
});

afterEach(async () => {
  pair[Symbol.dispose]();
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

describe('descriptors', () => {
  it.each([1, 63, 64, 65, 128, 200])('%i arrive in their order and close on exec', async (count) => {
    using files = new FileDescriptors(folder, count);
    const [received] = await Promise.all([
      pair.receiving.receiveDescriptors(count, never),
      pair.sending.sendDescriptors(files.fds, never),
    ]);
    expect(files.order(received)).toEqual(files.fds.map((_, index) => index));
    expect(received.every(({ fd }) => getCloseOnExec(fd))).toBe(true);
    for (const descriptor of received) descriptor.close();
  });

  it('none are nothing to wait for', async () => {
    await pair.sending.sendDescriptors([], never);
    expect(await pair.receiving.receiveDescriptors(0, never)).toEqual([]);
  });

  it('never more than one batch is in flight: unread ones count against the limit of open files', async () => {
    using files = new FileDescriptors(folder, 2 * batchLimit);
    const sent = pair.sending.sendDescriptors(files.fds, never);
    const { control } = pair.receiving;
    const first = pair.receiving.takeBatch(await control.expect(['DESCRIPTORS'], never));
    expect(first.length).toBe(batchLimit);
    const tooEarly = control.expect(['DESCRIPTORS'], AbortSignal.timeout(50));
    await expect(tooEarly).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
    control.send('RECEIVED', { count: first.length });
    const second = pair.receiving.takeBatch(await control.expect(['DESCRIPTORS'], never));
    control.send('RECEIVED', { count: second.length });
    await sent;
    for (const descriptor of [...first, ...second]) descriptor.close();
  });
});

describe('a sender', () => {
  it('refuses an acknowledgement of another number', async () => {
    using files = new FileDescriptors(folder, 3);
    const sent = pair.sending.sendDescriptors(files.fds, never);
    const { control } = pair.receiving;
    for (const descriptor of pair.receiving.takeBatch(await control.expect(['DESCRIPTORS'], never))) descriptor.close();
    control.send('RECEIVED', { count: 2 });
    await expect(sent).rejects.toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
  });

  it('is told when the other side closed its lane', async () => {
    using files = new FileDescriptors(folder, 1);
    pair.receivingLane.close();
    await expect(pair.sending.sendDescriptors(files.fds, never)).rejects.toMatchObject({
      code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
    });
  });

  it('does not wait longer than its signal', async () => {
    using files = new FileDescriptors(folder, 1);
    await expect(pair.sending.sendDescriptors(files.fds, AbortSignal.timeout(1))).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ABORTED',
    });
  });

  it('is told of a descriptor that is not open', async () => {
    await expect(pair.sending.sendDescriptors([2 ** 20 - 1], never)).rejects.toMatchObject({ code: 'EBADF' });
  });
});

describe('a receiver', () => {
  /** What the receiver says to what the test puts on the lane and announces. */
  function receive(count: number) {
    return expect(pair.receiving.receiveDescriptors(count, never)).rejects;
  }

  it('refuses an announcement of what is not on the lane', async () => {
    const refused = receive(1).toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
    pair.sending.control.send('DESCRIPTORS', { count: 1 });
    await refused;
  });

  it.each([
    ['fewer', 2, 3],
    ['more', 3, 2],
  ])('refuses a batch of %s than announced, and keeps none of it', async (_, sent, announced) => {
    using files = new FileDescriptors(folder, sent);
    const refused = receive(announced).toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
    pair.sending.putBatch(files.fds);
    pair.sending.control.send('DESCRIPTORS', { count: announced });
    await refused;
  });

  it('refuses more than the offer lists, and keeps none of them', async () => {
    using files = new FileDescriptors(folder, 5);
    const refused = receive(3).toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
    const sent = pair.sending.sendDescriptors(files.fds, never).catch(() => {});
    await refused;
    pair.receiving[Symbol.dispose]();
    await sent;
  });

  it.each([
    ['another byte', 'G'],
    ['two bytes', 'FF'],
  ])('refuses a batch that travels with %s', async (_, mark) => {
    using files = new FileDescriptors(folder, 2);
    // The second byte stays on the lane and comes with the next batch.
    const batches = mark.length;
    const refused = receive(2 * batches).toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
    sendMessage(pair.sendingLane.fd, Buffer.from(mark), files.fds);
    for (let batch = 0; batch < batches; batch++) pair.sending.control.send('DESCRIPTORS', { count: 2 });
    await refused;
  });

  it.each([0, -1, 1.5, batchLimit + 1, 2 ** 40, 'two', null])('refuses an announcement of %s', async (count) => {
    const refused = receive(1).toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
    pair.sending.control.send('DESCRIPTORS', { count });
    await refused;
  });

  it('refuses more descriptors in one message than a batch may have', async () => {
    using files = new FileDescriptors(folder, batchLimit + 1);
    const refused = receive(batchLimit).toMatchObject({ code: 'ERR_HANDOFF_TRUNCATED' });
    sendMessage(pair.sendingLane.fd, Buffer.from('F'), files.fds);
    pair.sending.control.send('DESCRIPTORS', { count: batchLimit });
    await refused;
  });

  it('closes the first batch when the second does not come', async () => {
    using files = new FileDescriptors(folder, 2);
    const refused = receive(4).toMatchObject({ code: 'ERR_HANDOFF_PREDECESSOR_EXITED' });
    await pair.sending.sendBatch(files.fds, never);
    pair.sending[Symbol.dispose]();
    await refused;
  });

  it('closes what came when its time is over', async () => {
    using files = new FileDescriptors(folder, 2);
    const controller = new AbortController();
    const refused = expect(pair.receiving.receiveDescriptors(4, controller.signal)).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ABORTED',
    });
    await pair.sending.sendBatch(files.fds, never);
    controller.abort();
    await refused;
  });

  it('refuses a batch whose announcement comes before it', async () => {
    const refused = receive(1).toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
    pair.sendingSocket.write(encodeFrame('DESCRIPTORS', { count: 1 }));
    await refused;
  });

  it('closes what is still on the lane with it', async () => {
    using files = new FileDescriptors(folder, 3);
    pair.sending.putBatch(files.fds);
    pair.receiving[Symbol.dispose]();
  });
});

describe('the token', () => {
  it('is read as it was written, before the first batch', async () => {
    const token = createToken();
    pair.receiving.writeToken(token);
    expect(pair.sending.readToken()).toBe(token);
    expect(pair.sending.readToken()).toBeNull();
  });

  it('is null where something else was written', () => {
    sendMessage(pair.receivingLane.fd, Buffer.from('hello'), []);
    expect(pair.sending.readToken()).toBeNull();
  });

  it('can be written to a predecessor that is gone: the control connection tells of that', () => {
    pair.sendingLane.close();
    pair.receiving.writeToken(createToken());
  });
});

it('an end says what is still to be said', async () => {
  pair.sending.control.send('ABORT', { message: 'called off' });
  const ended = pair.sending.end();
  await expect(pair.receiving.control.expect(['OFFER'], never)).rejects.toThrow('called off');
  await ended;
  await pair.receiving.end();
});
