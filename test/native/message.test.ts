import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readSync, writeSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { close, closeAll, dup, getCloseOnExec, pipe, setNonBlocking } from '../../lib/fd/descriptor.ts';
import { MAXIMUM_DESCRIPTORS, type Message, receiveMessage, sendDatagram, sendMessage } from '../../lib/fd/message.ts';
import { native } from '../../lib/fd/native.ts';
import { bindUnix, socketPair } from '../../lib/fd/socket.ts';
import { DescriptorCheck } from '../support/open-descriptors.ts';
import { closeLater, resultOf, runModule, temporaryFolder, unlessLinux, unlessPython, withSockets } from './support.ts';

const BYTE = Buffer.from('F');

function take(fd: number, maxBytes = 64, maxFds = MAXIMUM_DESCRIPTORS): Message {
  const message = receiveMessage(fd, maxBytes, maxFds);
  if (message === null) throw new Error('nothing there');
  return message;
}

function pair(t: TestContext): [number, number] {
  return closeLater(t, socketPair());
}

test('bytes and descriptors arrive, in order, and are the same open file descriptions', (t) => {
  const [a, b] = pair(t);
  const [read, write] = closeLater(t, pipe());
  assert.equal(sendMessage(a, Buffer.from('hello'), [write, read]), 5);
  const { data, fds } = take(b);
  closeLater(t, fds);
  assert.equal(data.toString(), 'hello');
  assert.equal(fds.length, 2);
  writeSync(fds[0] as number, 'through');
  const bytes = Buffer.alloc(16);
  assert.equal(bytes.toString('utf8', 0, readSync(read, bytes)), 'through');
  assert.ok(fds.every((fd) => getCloseOnExec(fd)));
});

test('nothing there yet is null, the end of the stream is a message without bytes', (t) => {
  const [a, b] = socketPair();
  closeLater(t, b);
  assert.equal(receiveMessage(b, 16, 0), null);
  close(a);
  assert.deepEqual(receiveMessage(b, 16, 4), { data: Buffer.alloc(0), fds: [] });
  assert.deepEqual(receiveMessage(b, 16, 4), { data: Buffer.alloc(0), fds: [] });
});

test('receiving and sending do not wait on a blocking socket', (t) => {
  const [a, b] = pair(t);
  setNonBlocking(a, false);
  setNonBlocking(b, false);
  assert.equal(receiveMessage(b, 16, 0), null);
  const piece = Buffer.alloc(65_536);
  assert.throws(
    () => {
      for (;;) sendMessage(a, piece);
    },
    { code: 'EAGAIN', syscall: 'sendmsg', fd: a },
  );
});

test('a message of zero bytes would drop its descriptors, so it is refused', (t) => {
  const [a, b] = pair(t);
  assert.throws(() => sendMessage(a, Buffer.alloc(0), [1]), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
  assert.throws(() => sendDatagram('/nowhere', Buffer.alloc(0), [1]), { code: 'ERR_OUT_OF_RANGE' });
  assert.equal(sendMessage(a, Buffer.alloc(0)), 0);
  assert.equal(receiveMessage(b, 16, 1), null);
  // What the refusal protects from: the system reports success and nothing arrives.
  assert.equal(native().sendMessage(a, Buffer.alloc(0), Int32Array.of(1), 1), 0);
  assert.equal(receiveMessage(b, 16, 1), null);
});

test('253 descriptors fit into a message, 254 do not', { skip: unlessLinux }, (t) => {
  const [a, b] = pair(t);
  const descriptors = new DescriptorCheck();
  assert.equal(sendMessage(a, BYTE, new Array(253).fill(1)), 1);
  const { fds } = take(b);
  assert.equal(new Set(fds).size, 253);
  assert.equal(descriptors.opened().length, 253);
  closeAll(fds);
  assert.throws(() => sendMessage(a, BYTE, new Array(254).fill(1)), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
  assert.equal(native().sendMessage(a, BYTE, new Int32Array(254).fill(1), 254), -22);
  assert.throws(() => receiveMessage(b, 1, 254), { code: 'ERR_OUT_OF_RANGE' });
});

test('CMSG_SPACE padding: two descriptors where one was wanted are counted, closed and refused', {
  skip: unlessLinux,
}, (t) => {
  const [a, b] = pair(t);
  const descriptors = new DescriptorCheck();
  for (const [sent, wanted] of [
    [2, 1],
    [1, 0],
    [4, 3],
    [253, 252],
    [253, 0],
  ] as const) {
    sendMessage(a, BYTE, new Array(sent).fill(1));
    assert.throws(() => receiveMessage(b, 16, wanted), {
      name: 'HandoffError',
      code: 'ERR_HANDOFF_TRUNCATED',
      message: `more than ${wanted} descriptors came in a message on fd ${b}, and all of them were closed`,
    });
    assert.deepEqual(descriptors.opened(), []);
  }
  // The stream goes on behind it.
  sendMessage(a, Buffer.from('next'));
  assert.equal(take(b).data.toString(), 'next');
});

test('MSG_CTRUNC: at the limit of descriptors none is kept', { skip: unlessLinux }, () => {
  const child = runModule(
    `
    const { readdirSync } = await import('node:fs');
    const open = () => readdirSync('/proc/self/fd').length;
    const [a, b] = fd.socketPair();
    fd.sendMessage(a, Buffer.from('F'), [1, 1, 1, 1, 1]);
    const listing = open();
    const fill = [];
    try { for (;;) fill.push(fd.dup(1)); } catch {}
    fd.closeAll(fill.splice(0, 2));
    const results = [];
    try { results.push(fd.receiveMessage(b, 16, 8).fds.length); } catch (error) { results.push(error.code, /ulimit/.test(error.message)); }
    // Both free slots are free again.
    let free = 0;
    try { for (;;) { fill.push(fd.dup(1)); free++; } } catch {}
    results.push(free);
    // Not even one slot.
    fd.sendMessage(a, Buffer.from('F'), [1]);
    try { results.push(fd.receiveMessage(b, 16, 8).fds.length); } catch (error) { results.push(error.code); }
    fd.closeAll(fill);
    console.log(JSON.stringify([...results, open() - listing]));
  `,
    { before: 'ulimit -n 100' },
  );
  assert.deepEqual(resultOf(child), ['ERR_HANDOFF_TRUNCATED', true, 2, 'ERR_HANDOFF_TRUNCATED', 0]);
});

// SO_PASSPIDFD (76) is there from Linux 6.5 on. Nobody who uses the library sets it, but whoever shares a socket can.
const CREDENTIALS_AND_PIDFD = withSockets(
  `one, other = socketpair(); other.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
try: other.setsockopt(SOL_SOCKET, 76, 1)
except OSError: pass
os.dup2(one.fileno(), 8); os.dup2(other.fileno(), 9)`,
);

test('control messages of other kinds are passed over, and a descriptor in them is closed', {
  skip: unlessPython,
}, () => {
  const child = runModule(
    `
    const { readdirSync } = await import('node:fs');
    const open = () => readdirSync('/proc/self/fd').length;
    fd.sendMessage(8, Buffer.from('F'), [1]);
    const before = open();
    const { data, fds } = fd.receiveMessage(9, 16, 1);
    console.log(JSON.stringify([data.toString(), fds.length, open() - before]));
  `,
    { before: CREDENTIALS_AND_PIDFD },
  );
  assert.deepEqual(resultOf(child), ['F', 1, 1]);
});

test('a pidfd that could not be made is no descriptor', { skip: unlessPython }, () => {
  const child = runModule(
    `
    fd.sendMessage(8, Buffer.from('F'));
    const fill = [];
    try { for (;;) fill.push(fd.dup(1)); } catch {}
    const { data, fds } = fd.receiveMessage(9, 16, 1);
    // The one that is open at the number of the errno.
    const stillOpen = fill.every((number) => fd.getCloseOnExec(number));
    fd.closeAll(fill);
    console.log(JSON.stringify([data.toString(), fds, stillOpen]));
  `,
    { before: `ulimit -n 100; ${CREDENTIALS_AND_PIDFD}` },
  );
  assert.deepEqual(resultOf(child), ['F', [], true]);
});

test('control messages of another level are passed over', { skip: unlessPython }, () => {
  const child = runModule(
    `
    const { data, fds } = fd.receiveMessage(9, 16, 1);
    console.log(JSON.stringify([data.toString(), fds]));
  `,
    {
      before: withSockets(
        's = socket(AF_INET, SOCK_DGRAM); s.bind(("127.0.0.1", 0)); s.setsockopt(IPPROTO_IP, 12, 1); ' +
          's.sendto(b"F", s.getsockname()); os.dup2(s.fileno(), 9)',
      ),
    },
  );
  assert.deepEqual(resultOf(child), ['F', []]);
});

test('plain bytes written before a message with descriptors can come together with it', { skip: unlessLinux }, (t) => {
  const [a, b] = pair(t);
  sendMessage(a, Buffer.from('plain'));
  sendMessage(a, BYTE, [1]);
  const { data, fds } = take(b);
  closeLater(t, fds);
  assert.equal(data.toString(), 'plainF');
  assert.equal(fds.length, 1);
});

test('two messages with descriptors never come as one', (t) => {
  const [a, b] = pair(t);
  sendMessage(a, BYTE, [1]);
  sendMessage(a, BYTE, [1, 1]);
  sendMessage(a, Buffer.from('tail'));
  const first = take(b);
  const second = take(b);
  closeLater(t, [...first.fds, ...second.fds]);
  assert.deepEqual([first.fds.length, second.fds.length], [1, 2]);
  assert.equal(`${first.data}${second.data}${receiveMessage(b, 16, 0)?.data ?? ''}`, 'FFtail');
});

test('a message taken in pieces gives its descriptors with the first', (t) => {
  const [a, b] = pair(t);
  sendMessage(a, Buffer.from('abc'), [1]);
  const first = take(b, 1);
  closeLater(t, first.fds);
  assert.deepEqual([first.data.toString(), first.fds.length], ['a', 1]);
  assert.deepEqual(take(b), { data: Buffer.from('bc'), fds: [] });
});

test('read(2) loses the descriptors of a message, and net.Socket reads that way', { skip: unlessLinux }, async (t) => {
  const descriptors = new DescriptorCheck();
  const [a, b] = socketPair();
  sendMessage(a, BYTE, [1]);
  assert.equal(readSync(b, Buffer.alloc(8)), 1);
  assert.equal(descriptors.opened().length, 2);
  assert.equal(receiveMessage(b, 8, 1), null);
  const socket = new net.Socket({ fd: dup(b) });
  t.after(() => socket.destroy());
  sendMessage(a, BYTE, [1]);
  const [data] = await once(socket, 'data');
  assert.equal(String(data), 'F');
  assert.equal(receiveMessage(b, 8, 1), null);
  closeAll([a, b]);
});

test('messages of many sizes arrive whole, and are copies of their own', (t) => {
  const [a, b] = pair(t);
  const kept: [Buffer, Buffer][] = [];
  for (const size of [1, 2, 63, 64, 65, 1000, 4096, 65_535, 65_536, 65_537, 100_000]) {
    const sent = Buffer.alloc(size, (size % 250) + 1);
    for (const maxBytes of [size, size + 1, 200_000]) {
      assert.equal(sendMessage(a, sent, [1]), size);
      const parts: Buffer[] = [];
      for (let left = size; left > 0; ) {
        const { data, fds } = take(b, maxBytes);
        closeAll(fds);
        parts.push(data);
        left -= data.length;
      }
      kept.push([sent, Buffer.concat(parts)]);
    }
  }
  for (const [sent, received] of kept) assert.ok(sent.equals(received));
  // A view of a larger buffer is sent as it is.
  sendMessage(a, Buffer.from('0123456789').subarray(3, 6));
  assert.equal(take(b).data.toString(), '345');
});

test('a full buffer takes a part of the bytes, then EAGAIN', (t) => {
  const [a] = pair(t);
  const large = Buffer.alloc(8 << 20);
  assert.ok(sendMessage(a, large) < large.length);
  assert.throws(() => sendMessage(a, large), { code: 'EAGAIN' });
});

test('a closed other side is EPIPE without a signal, also where SIGPIPE would kill', (t) => {
  const [a, b] = socketPair();
  closeLater(t, a);
  close(b);
  assert.throws(() => sendMessage(a, BYTE, [1]), { code: 'EPIPE', syscall: 'sendmsg' });
  assert.throws(() => sendMessage(a, BYTE), { code: 'EPIPE' });
});

test('one bad descriptor and none is sent', (t) => {
  const [a, b] = pair(t);
  assert.throws(() => sendMessage(a, BYTE, [1, 999_999]), { code: 'EBADF' });
  assert.equal(receiveMessage(b, 8, 2), null);
  assert.throws(() => sendMessage(999_999, BYTE), { code: 'EBADF' });
  assert.throws(() => receiveMessage(999_999, 1, 0), { code: 'EBADF', syscall: 'recvmsg' });
  const [read] = closeLater(t, pipe());
  assert.throws(() => receiveMessage(read, 1, 0), { code: 'ENOTSOCK' });
});

test('descriptors in flight beyond the limit are ETOOMANYREFS, with a name', {
  skip: unlessLinux || (process.getuid?.() === 0 && 'root may have any number in flight'),
}, () => {
  const child = runModule(
    `
    const [a] = fd.socketPair();
    let code;
    try { for (let sent = 0; sent < 1000; sent++) fd.sendMessage(a, Buffer.from('F'), [1, 1, 1, 1]); } catch (error) { code = error.code; }
    console.log(JSON.stringify(code));
  `,
    { before: 'ulimit -n 64' },
  );
  assert.equal(resultOf(child), 'ETOOMANYREFS');
});

test('a descriptor closed by its sender stays open for its receiver', (t) => {
  const [a, b] = pair(t);
  const [read, write] = pipe();
  closeLater(t, read);
  sendMessage(a, BYTE, [write]);
  close(write);
  const { fds } = take(b);
  writeSync(fds[0] as number, 'alive');
  closeAll(fds);
  assert.equal(readSync(read, Buffer.alloc(8)), 5);
});

test('10 000 messages, received and refused, leave the open descriptors as they were', { skip: unlessLinux }, (t) => {
  const [a, b] = pair(t);
  const descriptors = new DescriptorCheck();
  for (let round = 0; round < 10_000; round++) {
    sendMessage(a, BYTE, [0, 1, 2]);
    if (round % 2 === 0) closeAll(take(b).fds);
    else assert.throws(() => receiveMessage(b, 1, 2), { code: 'ERR_HANDOFF_TRUNCATED' });
  }
  assert.deepEqual(descriptors.opened(), []);
});

test('a datagram reaches a Unix datagram socket, with descriptors', (t) => {
  const path = join(temporaryFolder(t), 'd');
  const receiver = closeLater(t, bindUnix(path, { type: 'datagram' }));
  sendDatagram(path, Buffer.from('READY=1'));
  sendDatagram(path, Buffer.from('BARRIER=1'), [1]);
  assert.deepEqual(take(receiver), { data: Buffer.from('READY=1'), fds: [] });
  const second = take(receiver);
  closeLater(t, second.fds);
  assert.deepEqual([second.data.toString(), second.fds.length], ['BARRIER=1', 1]);
  assert.throws(() => sendDatagram(`${path}-none`, BYTE), { code: 'ENOENT', path: `${path}-none` });
});

test('a datagram reaches an abstract address', { skip: unlessLinux }, (t) => {
  const name = `@fd-handoff-datagram-${process.pid}`;
  const receiver = closeLater(t, bindUnix(name, { type: 'datagram' }));
  sendDatagram(name, BYTE, [1]);
  const { fds } = take(receiver);
  closeAll(fds);
  assert.equal(fds.length, 1);
});

test('a datagram that finds no room is EAGAIN and leaks nothing', { skip: unlessLinux }, (t) => {
  const path = join(temporaryFolder(t), 'd');
  closeLater(t, bindUnix(path, { type: 'datagram' }));
  const descriptors = new DescriptorCheck();
  assert.throws(
    () => {
      for (let sent = 0; sent < 10_000; sent++) sendDatagram(path, BYTE);
    },
    { code: 'EAGAIN' },
  );
  assert.deepEqual(descriptors.opened(), []);
});
