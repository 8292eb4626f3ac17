import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pipe } from '../../../lib/fd/descriptor.ts';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { NotifySocket } from '../../../lib/systemd/notify.ts';
import { eventually } from '../../support/eventually.ts';
import { NotifyReceiver } from '../../support/notify-receiver.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';

let descriptors: DescriptorCheck;
let receiver: NotifyReceiver;
let failures: Error[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  receiver = new NotifyReceiver();
  failures = [];
});

afterEach(async () => {
  receiver[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

function socketTo(path: string): NotifySocket {
  return new NotifySocket(path, (error) => failures.push(error));
}

describe('a message', () => {
  it('is one datagram of assignments', () => {
    socketTo(receiver.path).send({ READY: 1, STATUS: 'Serving', MONOTONIC_USEC: 12n });
    expect(receiver.tags()).toEqual([{ READY: '1', STATUS: 'Serving', MONOTONIC_USEC: '12' }]);
  });

  it.skipIf(process.platform !== 'linux')('goes to abstract addresses too', () => {
    using abstract = new NotifyReceiver(`@fd-handoff-notify-${process.pid}`);
    socketTo(abstract.path).send({ READY: 1 });
    expect(abstract.tags()).toEqual([{ READY: '1' }]);
  });

  it('carries descriptors, of which the originals stay', () => {
    const [reader, writer] = pipe().map((fd) => new OwnedFd(fd)) as [OwnedFd, OwnedFd];
    socketTo(receiver.path).send({ FDSTORE: 1 }, [reader.fd, writer.fd]);
    expect(receiver.read()).toMatchObject([
      { tags: { FDSTORE: '1' }, descriptors: [expect.any(Number), expect.any(Number)] },
    ]);
    reader.close();
    writer.close();
  });

  it('cannot be made another one by what a value says', () => {
    socketTo(receiver.path).send({ STATUS: 'failed:\nMAINPID=1\r\n\0READY=1' });
    expect(receiver.tags()).toEqual([{ STATUS: 'failed: MAINPID=1 READY=1' }]);
  });

  it('stays short enough to be read, and UTF-8', () => {
    socketTo(receiver.path).send({ READY: 1, STATUS: `x${'é'.repeat(5_000)}` });
    expect(receiver.tags()).toEqual([{ READY: '1', STATUS: `x${'é'.repeat(511)}` }]);
  });

  it('that finds the queue full waits, and so does what comes after it', async () => {
    const socket = socketTo(receiver.path);
    // More than the longest queue that a system has by default (512 on some, 10 on most).
    const count = 1_000;
    const [reader, writer] = pipe().map((fd) => new OwnedFd(fd)) as [OwnedFd, OwnedFd];
    for (let number = 0; number < count; number++)
      socket.send({ NUMBER: number }, number === count - 1 ? [writer.fd] : []);
    // A copy waits with its message.
    writer.close();
    reader.close();
    const read: unknown[] = [];
    await eventually(() => {
      read.push(...receiver.read().map(({ tags, descriptors }) => [tags.NUMBER, descriptors.length]));
      return read.length >= count;
    });
    expect(read).toEqual(Array.from({ length: count }, (_, number) => [String(number), number === count - 1 ? 1 : 0]));
    expect(failures).toEqual([]);
  });
});

describe('where nobody listens', () => {
  it('nothing is thrown, and the failure reported', async () => {
    const socket = socketTo('/no/such/socket');
    socket.send({ READY: 1 });
    expect(failures).toMatchObject([{ code: 'ENOENT', path: '/no/such/socket' }]);
    await socket.barrier();
  });

  it.each(['vsock:2:1234', 'relative', '', '/', '@'])('the address "%s" is refused', (path) => {
    expect(() => socketTo(path)).toThrow(expect.objectContaining({ code: 'ERR_HANDOFF_UNSUPPORTED_PLATFORM' }));
  });
});

describe('a barrier', () => {
  it('stands alone, with one descriptor, and ends when that is closed', async () => {
    const socket = socketTo(receiver.path);
    socket.send({ MAINPID: 1 });
    let passed = false;
    const barrier = socket.barrier().then(() => {
      passed = true;
    });
    await new Promise(setImmediate);
    expect(passed).toBe(false);
    const messages = receiver.read();
    expect(messages.map(({ tags, descriptors }) => [tags, descriptors.length])).toEqual([
      [{ MAINPID: '1' }, 0],
      [{ BARRIER: '1' }, 1],
    ]);
    await barrier;
  });

  it('that nobody reads ends with a timeout', async () => {
    await expect(socketTo(receiver.path).barrier()).rejects.toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
  });
});
