import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { close, getNonBlocking, setNonBlocking } from '../../lib/fd/descriptor.ts';
import { sendDatagram } from '../../lib/fd/message.ts';
import { accept, bindTcp, bindUdp, bindUnix, connectUnix, listen, socketPair } from '../../lib/fd/socket.ts';
import { DescriptorCheck } from '../support/open-descriptors.ts';
import { closeLater, describeSocket, isLinux, portOf, temporaryFolder, unlessIPv6, unlessLinux } from './support.ts';

test('socketPair: both ends are non-blocking', (t) => {
  for (const end of closeLater(t, socketPair())) assert.equal(getNonBlocking(end), true);
});

test('bindTcp binds and does not listen yet', (t) => {
  const fd = closeLater(t, bindTcp('127.0.0.1', 0));
  const description = describeSocket(fd);
  assert.equal(description.listening, false);
  assert.equal(description.address, '127.0.0.1');
  assert.equal(description.nonBlocking, true);
  listen(fd);
  assert.equal(describeSocket(fd).listening, true);
});

test('a listener made here is adopted by a Node server by descriptor', async (t) => {
  const fd = bindTcp('127.0.0.1', 0);
  listen(fd, 16);
  const port = portOf(fd);
  const server = net.createServer((socket) => socket.end('hello'));
  server.listen({ fd });
  t.after(() => server.close());
  await once(server, 'listening');
  const client = net.connect(port, '127.0.0.1');
  const [data] = await once(client, 'data');
  assert.equal(String(data), 'hello');
});

test('an address in use is an error as Node makes it', (t) => {
  const fd = closeLater(t, bindTcp('127.0.0.1', 0));
  listen(fd);
  const port = portOf(fd);
  assert.throws(() => bindTcp('127.0.0.1', port), {
    name: 'Error',
    message: `bind EADDRINUSE: address already in use 127.0.0.1:${port}`,
    code: 'EADDRINUSE',
    syscall: 'bind',
    address: '127.0.0.1',
    port,
  });
});

test('with reuseAddress two sockets bind and the second listen fails', { skip: unlessLinux }, (t) => {
  const first = closeLater(t, bindTcp('127.0.0.1', 0));
  const second = closeLater(t, bindTcp('127.0.0.1', portOf(first)));
  listen(first);
  assert.throws(() => listen(second), { code: 'EADDRINUSE', syscall: 'listen', fd: second });
  assert.throws(() => bindTcp('127.0.0.1', portOf(first), { reuseAddress: false }), { code: 'EADDRINUSE' });
});

test('reusePort lets two sockets listen on one port', { skip: unlessLinux }, (t) => {
  const first = closeLater(t, bindTcp('127.0.0.1', 0, { reusePort: true }));
  listen(first);
  const second = closeLater(t, bindTcp('127.0.0.1', portOf(first), { reusePort: true }));
  listen(second);
});

test('bindUdp: one socket an address by default, more with reuseAddress', { skip: unlessLinux }, (t) => {
  const alone = closeLater(t, bindUdp('127.0.0.1', 0));
  assert.equal(describeSocket(alone).type, 'datagram');
  assert.throws(() => bindUdp('127.0.0.1', portOf(alone), { reuseAddress: true }), { code: 'EADDRINUSE' });
  const shared = closeLater(t, bindUdp('127.0.0.1', 0, { reuseAddress: true }));
  closeLater(t, bindUdp('127.0.0.1', portOf(shared), { reuseAddress: true }));
});

test(':: takes IPv4 too unless ipv6Only', { skip: unlessIPv6 }, async (t) => {
  for (const ipv6Only of [false, true]) {
    const fd = closeLater(t, bindTcp('::', 0, { ipv6Only }));
    listen(fd);
    assert.equal(describeSocket(fd).ipv6Only, ipv6Only);
    const client = net.connect(portOf(fd), '127.0.0.1');
    const [event] = await Promise.race([
      once(client, 'connect').then(() => ['connect']),
      once(client, 'error').then(() => ['error']),
    ]).catch(() => ['error']);
    client.destroy();
    assert.equal(event, ipv6Only ? 'error' : 'connect');
    if (!ipv6Only) close(accept(fd) as number);
  }
});

test('an IPv6 zone is understood, by name and by number, and described', { skip: unlessLinux || unlessIPv6 }, (t) => {
  const linkLocal = Object.entries(networkInterfaces())
    .flatMap(([name, list]) => (list ?? []).map((entry) => ({ ...entry, name })))
    .find(({ address }) => address.startsWith('fe80:'));
  assert.throws(() => bindTcp('fe80::1%no-such-zone', 0), { code: 'ENODEV', address: 'fe80::1%no-such-zone' });
  if (linkLocal === undefined) return t.diagnostic('no link-local address here: only the error was checked');
  for (const zone of [linkLocal.name, linkLocal.scopeid]) {
    const fd: number = closeLater(t, bindTcp(`${linkLocal.address}%${zone}`, 0));
    assert.equal(describeSocket(fd).address, `${linkLocal.address}%${linkLocal.name}`);
  }
});

test('an address that is nobody here is EADDRNOTAVAIL', () => {
  assert.throws(() => bindTcp('192.0.2.1', 80), { code: 'EADDRNOTAVAIL', address: '192.0.2.1', port: 80 });
});

test('bindUnix: datagram and stream, and it never removes what is in the way', (t) => {
  const folder = temporaryFolder(t);
  const stream = closeLater(t, bindUnix(join(folder, 'stream')));
  const datagram = closeLater(t, bindUnix(join(folder, 'datagram'), { type: 'datagram' }));
  assert.equal(describeSocket(stream).type, 'stream');
  assert.equal(describeSocket(datagram).type, 'datagram');
  assert.equal(describeSocket(stream).path, join(folder, 'stream'));
  const dead = join(folder, 'dead');
  close(bindUnix(dead));
  assert.ok(existsSync(dead));
  assert.throws(() => bindUnix(dead), { code: 'EADDRINUSE', path: dead, syscall: 'bind' });
  writeFileSync(join(folder, 'file'), 'content');
  assert.throws(() => bindUnix(join(folder, 'file')), { code: 'EADDRINUSE' });
});

test('a path too long for a socket is ENAMETOOLONG, never an address that was cut', (t) => {
  const longest = isLinux ? 107 : 103;
  const folder = temporaryFolder(t);
  const path = (length: number) => join(folder, 'x'.repeat(length - folder.length - 1));
  const fits = path(longest);
  closeLater(t, bindUnix(fits));
  assert.ok(existsSync(fits));
  assert.throws(() => bindUnix(path(longest + 1)), { code: 'ENAMETOOLONG' });
  assert.throws(() => connectUnix(path(longest + 1)), { code: 'ENAMETOOLONG' });
  assert.throws(() => sendDatagram(path(longest + 1), Buffer.from('F')), { code: 'ENAMETOOLONG' });
  // Bytes count, not characters.
  assert.throws(() => bindUnix(join(folder, 'ü'.repeat(60))), { code: 'ENAMETOOLONG' });
});

test('abstract addresses: the whole name counts, up to 107 bytes of it, and no file is made', {
  skip: unlessLinux,
}, (t) => {
  const name = `@fd-handoff-${process.pid}-name`;
  const listener = closeLater(t, bindUnix(name, { mode: 0o600 }));
  listen(listener);
  assert.equal(describeSocket(listener).path, name);
  assert.ok(!existsSync(name));
  closeLater(t, connectUnix(name));
  assert.throws(() => connectUnix(`${name}x`), { code: 'ECONNREFUSED' });
  assert.throws(() => connectUnix(name.slice(0, -1)), { code: 'ECONNREFUSED' });
  // Without a trailing NUL in it, the address is the one that other programs mean.
  assert.ok(spawnSync('cat', ['/proc/net/unix'], { encoding: 'utf8' }).stdout.includes(`${name}\n`));
  const longest = `@${'y'.repeat(107)}`;
  closeLater(t, bindUnix(longest));
  assert.throws(() => bindUnix(`${longest}y`), { code: 'ENAMETOOLONG' });
});

test('abstract addresses are refused where there are none', { skip: isLinux && 'Linux has them' }, () => {
  assert.throws(() => bindUnix('@name'), { code: 'ENOTSUP' });
});

test('the mode asked for is the mode of the file, whatever the umask', (t) => {
  const folder = temporaryFolder(t);
  const before = process.umask();
  t.after(() => process.umask(before));
  let number = 0;
  for (const umask of [0o000, 0o022, 0o027, 0o077, 0o177, 0o777]) {
    for (const mode of [0o600, 0o660, 0o666, 0o777, 0o000]) {
      const path = join(folder, String(number++));
      process.umask(umask);
      const fd = bindUnix(path, { mode });
      // Nothing else of the process may notice.
      assert.equal(process.umask(before), umask);
      close(fd);
      assert.equal((lstatSync(path).mode & 0o777).toString(8), mode.toString(8), `umask ${umask.toString(8)}`);
    }
    const path = join(folder, String(number++));
    process.umask(umask);
    close(bindUnix(path));
    assert.equal(lstatSync(path).mode & 0o777, 0o777 & ~umask);
  }
});

test('the file is at no moment more open than asked', { skip: unlessLinux }, async (t) => {
  const folder = temporaryFolder(t);
  const before = process.umask(0);
  t.after(() => process.umask(before));
  const rounds = 300;
  // Another thread looks at the next file without a pause, and notes every mode it sees.
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const watcher = new Worker(
    `const { lstatSync } = require('node:fs');
     const { workerData: { folder, shared }, parentPort } = require('node:worker_threads');
     parentPort.postMessage('ready');
     const seen = new Set();
     for (let round = 0; (round = Atomics.load(shared, 0)) >= 0; ) {
       const status = lstatSync(folder + '/' + round, { throwIfNoEntry: false });
       if (status) seen.add(status.mode & 0o777);
     }
     parentPort.postMessage([...seen]);`,
    { eval: true, workerData: { folder, shared } },
  );
  await once(watcher, 'message');
  for (let round = 0; round < rounds; round++) {
    Atomics.store(shared, 0, round);
    close(bindUnix(join(folder, String(round)), { mode: 0o600 }));
    for (const end = performance.now() + 0.1; performance.now() < end; );
  }
  Atomics.store(shared, 0, -1);
  const [seen] = await once(watcher, 'message');
  assert.deepEqual(seen, [0o600]);
});

test('binding on a symbolic link does not follow it', (t) => {
  const folder = temporaryFolder(t);
  const target = join(folder, 'target');
  writeFileSync(target, '');
  chmodSync(target, 0o600);
  symlinkSync(target, join(folder, 'link'));
  assert.throws(() => bindUnix(join(folder, 'link'), { mode: 0o666 }), { code: 'EADDRINUSE' });
  assert.equal(lstatSync(target).mode & 0o777, 0o600);
});

test('connectUnix: nobody there, nobody listening, and a full queue are told apart', (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 's');
  assert.throws(() => connectUnix(path), { code: 'ENOENT', syscall: 'connect', path });
  const listener = closeLater(t, bindUnix(path));
  assert.throws(() => connectUnix(path), { code: 'ECONNREFUSED' });
  listen(listener, 1);
  const descriptors = isLinux ? new DescriptorCheck() : undefined;
  const clients: number[] = [];
  assert.throws(
    () => {
      while (clients.length < 100) clients.push(connectUnix(path));
    },
    { code: isLinux ? 'EAGAIN' : 'ECONNREFUSED' },
  );
  assert.ok(clients.length >= 1 && clients.length < 10);
  if (descriptors !== undefined) assert.equal(descriptors.opened().length, clients.length);
  for (const client of clients) close(client);
});

test('the listening backlog is the one asked for, and can be changed', { skip: unlessLinux }, (t) => {
  const backlogOf = (fd: number): string | undefined => {
    const { stdout } = spawnSync('ss', ['-Hltn', `sport = :${portOf(fd)}`], { encoding: 'utf8' });
    return stdout?.trim().split(/\s+/)[2];
  };
  const fd = closeLater(t, bindTcp('127.0.0.1', 0));
  listen(fd, 77);
  // A user's machine may lack it; in CI nothing may go untested.
  if (backlogOf(fd) === undefined && process.env.CI === undefined) return t.skip('ss is not installed');
  assert.equal(backlogOf(fd), '77');
  listen(fd, 78);
  assert.equal(backlogOf(fd), '78');
  listen(fd);
  assert.equal(backlogOf(fd), '511');
});

test('accept: null while nobody waits, then every connection once, non-blocking', (t) => {
  const path = join(temporaryFolder(t), 's');
  const listener = closeLater(t, bindUnix(path));
  listen(listener);
  assert.equal(accept(listener), null);
  closeLater(t, [connectUnix(path), connectUnix(path)]);
  for (let count = 0; count < 2; count++) {
    const connection = accept(listener);
    assert.ok(connection !== null);
    closeLater(t, connection);
    assert.equal(getNonBlocking(connection), true);
  }
  assert.equal(accept(listener), null);
});

test('accept does not wait on a listener that another process made blocking', (t) => {
  const path = join(temporaryFolder(t), 's');
  const listener = closeLater(t, bindUnix(path));
  listen(listener);
  setNonBlocking(listener, false);
  assert.equal(accept(listener), null);
  closeLater(t, connectUnix(path));
  const connection = accept(listener);
  assert.ok(connection !== null);
  closeLater(t, connection);
  assert.equal(getNonBlocking(connection), true);
});

test('listening and accepting on what cannot is an error', (t) => {
  const udp = closeLater(t, bindUdp('127.0.0.1', 0));
  const tcp = closeLater(t, bindTcp('127.0.0.1', 0));
  assert.throws(() => listen(udp), { code: 'ENOTSUP', syscall: 'listen' });
  assert.throws(() => accept(tcp), { code: 'EINVAL', syscall: 'accept' });
  assert.throws(() => accept(999_999), { code: 'EBADF' });
  assert.throws(() => listen(999_999), { code: 'EBADF' });
});
