import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  close,
  closeAll,
  dup,
  duplicateTo,
  getCloseOnExec,
  getNonBlocking,
  pipe,
  setCloseOnExec,
  setNonBlocking,
} from '../../lib/fd/descriptor.ts';
import { receiveMessage, sendMessage } from '../../lib/fd/message.ts';
import { accept, bindTcp, bindUdp, bindUnix, connectUnix, listen, socketPair } from '../../lib/fd/socket.ts';
import { DescriptorCheck } from '../support/open-descriptors.ts';
import { closeLater, resultOf, runModule, temporaryFolder, unlessLinux } from './support.ts';

test('dup makes another number for the same description, at 3 or above, with close-on-exec', (t) => {
  const [read, write] = closeLater(t, pipe());
  const copy = dup(write);
  assert.ok(copy >= 3);
  assert.ok(getCloseOnExec(copy));
  writeSync(copy, 'x');
  close(copy);
  writeSync(write, 'y');
  const bytes = Buffer.alloc(8);
  assert.equal(readSync(read, bytes), 2);
});

test('dup: the minimum is 3 by default, so that numbers do not climb with every generation', (t) => {
  const [read, write] = pipe();
  closeLater(t, write);
  let fd = read;
  const highest = dup(fd);
  close(highest);
  for (let generation = 0; generation < 50; generation++) {
    const copy = dup(fd);
    close(fd);
    fd = copy;
  }
  close(fd);
  assert.ok(fd <= highest, `after 50 generations the number is ${fd}, and ${highest} was enough for two`);
});

test('dup takes the lowest free number not below the minimum', (t) => {
  const [read] = closeLater(t, pipe());
  const copy = closeLater(t, dup(read, 200));
  assert.ok(copy >= 200);
});

test('dup, even of a standard stream, never gives out 0 to 2', () => {
  const child = runModule('fd.close(0); const copy = fd.dup(1); console.log(JSON.stringify(copy));');
  assert.ok(resultOf<number>(child) >= 3);
});

test('close-on-exec is read and set', (t) => {
  const [read] = closeLater(t, pipe());
  setCloseOnExec(read, false);
  assert.equal(getCloseOnExec(read), false);
  setCloseOnExec(read, true);
  assert.equal(getCloseOnExec(read), true);
});

test('non-blocking mode is shared in the open file description, close-on-exec is not', (t) => {
  const [read] = closeLater(t, pipe());
  const copy = closeLater(t, dup(read));
  setNonBlocking(copy, true);
  assert.equal(getNonBlocking(read), true);
  setNonBlocking(read, false);
  assert.equal(getNonBlocking(copy), false);
  setCloseOnExec(copy, false);
  assert.equal(getCloseOnExec(read), true);
});

test('a pipe blocks at both ends and is close-on-exec', (t) => {
  for (const end of closeLater(t, pipe())) {
    assert.equal(getNonBlocking(end), false);
    assert.equal(getCloseOnExec(end), true);
  }
});

test('duplicateTo puts a descriptor onto a standard stream, which is then inherited', () => {
  const child = runModule(`
    fd.duplicateTo(1, 2);
    const onto = fd.dup(1);
    fd.duplicateTo(1, onto);
    (await import('node:fs')).writeSync(2, JSON.stringify([fd.getCloseOnExec(2), fd.getCloseOnExec(onto)]));
  `);
  assert.deepEqual(resultOf(child), [false, true]);
});

test('duplicateTo onto itself only sets the flag', () => {
  const child = runModule(`
    fd.setCloseOnExec(2, true);
    fd.duplicateTo(2, 2);
    console.log(JSON.stringify(fd.getCloseOnExec(2)));
  `);
  assert.equal(resultOf(child), false);
  assert.throws(() => duplicateTo(999_999, 999_999), { code: 'EBADF' });
});

test('closing twice is EBADF, as Node reports it', () => {
  const [read, write] = pipe();
  close(write);
  close(read);
  assert.throws(
    () => close(read),
    (error: NodeJS.ErrnoException) => {
      assert.equal(error.code, 'EBADF');
      assert.equal(error.syscall, 'close');
      assert.ok((error.errno as number) < 0);
      assert.equal((error as { fd?: number }).fd, read);
      assert.equal(error.message, `close EBADF: bad file descriptor, fd ${read}`);
      return true;
    },
  );
});

test('closeAll closes the rest after one that fails', { skip: unlessLinux }, () => {
  const descriptors = new DescriptorCheck();
  const [read, write] = pipe();
  assert.throws(() => closeAll([read, 999_999, write]), { code: 'EBADF', syscall: 'close' });
  assert.deepEqual(descriptors.opened(), []);
  closeAll([]);
});

test('the copy, the flags and the mode of a closed descriptor are EBADF', () => {
  for (const call of [
    () => dup(999_999),
    () => duplicateTo(999_999, 999_998),
    () => getCloseOnExec(999_999),
    () => setCloseOnExec(999_999, true),
    () => getNonBlocking(999_999),
    () => setNonBlocking(999_999, true),
  ]) {
    assert.throws(call, { code: 'EBADF' });
  }
});

test('running out of numbers is EMFILE and leaks nothing', { skip: unlessLinux }, () => {
  const child = runModule(
    `
    const { readdirSync } = await import('node:fs');
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    const made = [];
    const codes = {};
    const attempt = (name, make) => {
      made.length = 0;
      try { for (;;) made.push(...[make()].flat()); } catch (error) { codes[name] = error.code; }
      fd.closeAll(made);
    };
    attempt('dup', () => fd.dup(1));
    attempt('pipe', () => fd.pipe());
    attempt('socketPair', () => fd.socketPair());
    attempt('bindTcp', () => fd.bindTcp('127.0.0.1', 0));
    attempt('bindUdp', () => fd.bindUdp('127.0.0.1', 0));
    console.log(JSON.stringify({ codes, leaked: open() - before }));
  `,
    { before: 'ulimit -n 80' },
  );
  assert.deepEqual(resultOf(child), {
    codes: { dup: 'EMFILE', pipe: 'EMFILE', socketPair: 'EMFILE', bindTcp: 'EMFILE', bindUdp: 'EMFILE' },
    leaked: 0,
  });
});

test('close-on-exec on everything: a child inherits nothing of what was made or received', {
  skip: unlessLinux,
}, (t) => {
  const inherited = () =>
    spawnSync('/bin/ls', ['/proc/self/fd'], { encoding: 'utf8' }).stdout.trim().split('\n').length;
  const before = inherited();
  const path = join(temporaryFolder(t), 's');
  const [a, b] = socketPair();
  const [read, write] = pipe();
  sendMessage(a, Buffer.from('x'), [read, write, 1]);
  const message = receiveMessage(b, 16, 3);
  const listener = bindUnix(path);
  listen(listener);
  const client = connectUnix(path);
  const connection = accept(listener);
  assert.ok(message !== null && connection !== null);
  const made = [
    ...[a, b, read, write, listener, client, connection],
    ...message.fds,
    ...[dup(1), bindTcp('127.0.0.1', 0), bindUdp('127.0.0.1', 0), bindUnix(`@fd-handoff-cloexec-${process.pid}`)],
  ];
  const after = inherited();
  const flags = made.map((fd) => getCloseOnExec(fd));
  closeAll(made);
  assert.equal(after, before);
  assert.ok(flags.every((flag) => flag));
});

test('10 000 times everything leaves the open descriptors as they were', { skip: unlessLinux }, (t) => {
  const path = join(temporaryFolder(t), 's');
  const listener = closeLater(t, bindUnix(path));
  listen(listener);
  const descriptors = new DescriptorCheck();
  for (let round = 0; round < 10_000; round++) {
    const [a, b] = socketPair();
    const pair = pipe();
    sendMessage(a, Buffer.from('x'), pair);
    const received = receiveMessage(b, 8, round % 2 === 0 ? 2 : 4);
    const client = connectUnix(path);
    const connection = accept(listener);
    assert.ok(received !== null && connection !== null);
    const copy = dup(a);
    closeAll([a, b, ...pair, ...received.fds, client, connection, copy]);
    // The ways that fail must not leave anything behind either.
    assert.throws(() => bindUnix(path), { code: 'EADDRINUSE' });
    assert.throws(() => connectUnix(`${path}-none`), { code: 'ENOENT' });
  }
  assert.deepEqual(descriptors.opened(), []);
});
