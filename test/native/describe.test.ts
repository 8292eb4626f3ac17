import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { describe } from '../../lib/fd/describe.ts';
import { pipe, setCloseOnExec, setNonBlocking } from '../../lib/fd/descriptor.ts';
import { accept, bindTcp, bindUdp, bindUnix, connectUnix, listen, socketPair } from '../../lib/fd/socket.ts';
import {
  closeLater,
  portOf,
  resultOf,
  root,
  runModule,
  temporaryFolder,
  unlessIPv6,
  unlessLinux,
  unlessPython,
  withSockets,
} from './support.ts';

const base = { kind: 'socket', closeOnExec: true, nonBlocking: true, listening: false } as const;

test('TCP and UDP sockets', (t) => {
  const tcp = closeLater(t, bindTcp('127.0.0.1', 0));
  const ipv4 = { ...base, family: 'ipv4', address: '127.0.0.1' } as const;
  assert.deepEqual(describe(tcp), { ...ipv4, fd: tcp, type: 'stream', port: portOf(tcp) });
  listen(tcp);
  assert.deepEqual(describe(tcp), { ...ipv4, fd: tcp, type: 'stream', port: portOf(tcp), listening: true });
  const udp = closeLater(t, bindUdp('127.0.0.1', 0));
  assert.deepEqual(describe(udp), { ...ipv4, fd: udp, type: 'datagram', port: portOf(udp) });
});

test('IPv6 sockets tell whether they take IPv4', { skip: unlessIPv6 }, (t) => {
  for (const ipv6Only of [true, false]) {
    const fd = closeLater(t, bindTcp('::', 0, { ipv6Only }));
    assert.deepEqual(describe(fd), {
      ...base,
      fd,
      family: 'ipv6',
      type: 'stream',
      address: '::',
      port: portOf(fd),
      ipv6Only,
    });
  }
});

test('an established connection has a peer', async (t) => {
  const listener = closeLater(t, bindTcp('127.0.0.1', 0));
  listen(listener);
  const client = net.connect(portOf(listener), '127.0.0.1');
  t.after(() => client.destroy());
  await once(client, 'connect');
  const fd = closeLater(t, accept(listener) as number);
  assert.deepEqual(describe(fd), {
    ...base,
    fd,
    family: 'ipv4',
    type: 'stream',
    address: '127.0.0.1',
    port: portOf(listener),
    peer: { address: '127.0.0.1', port: (client.address() as AddressInfo).port },
  });
});

test('Unix sockets: with a path, without a name, and with both ends', (t) => {
  const path = join(temporaryFolder(t), 's');
  const listener = closeLater(t, bindUnix(path));
  listen(listener);
  assert.deepEqual(describe(listener), {
    ...base,
    fd: listener,
    family: 'unix',
    type: 'stream',
    path,
    listening: true,
  });
  const client = closeLater(t, connectUnix(path));
  assert.deepEqual(describe(client), { ...base, fd: client, family: 'unix', type: 'stream', peer: { path } });
  const connection = closeLater(t, accept(listener) as number);
  assert.deepEqual(describe(connection), { ...base, fd: connection, family: 'unix', type: 'stream', path, peer: {} });
  const [a] = closeLater(t, socketPair());
  assert.deepEqual(describe(a), { ...base, fd: a, family: 'unix', type: 'stream', peer: {} });
});

test('a relative path that begins with @ does not read like an abstract address', { skip: unlessLinux }, (t) => {
  const folder = temporaryFolder(t);
  const child = runModule(`
    process.chdir(${JSON.stringify(folder)});
    console.log(JSON.stringify([fd.bindUnix('./@x'), fd.bindUnix('@x-' + process.pid)].map((n) => fd.describe(n).path)));
  `);
  const [relative, abstract] = resultOf<[string, string]>(child);
  assert.equal(relative, './@x');
  assert.match(abstract, /^@x-\d+$/);
});

test('nor does a path that another program has bound without ./', { skip: unlessPython }, (t) => {
  const bound = `s = socket(AF_UNIX); os.chdir("${temporaryFolder(t)}"); s.bind("@x"); os.chdir("${root}")`;
  const child = runModule('console.log(JSON.stringify(fd.describe(9).path));', {
    before: withSockets(`${bound}; os.dup2(s.fileno(), 9)`),
  });
  assert.equal(resultOf(child), './@x');
});

test('everything that is not a socket', (t) => {
  const [read] = closeLater(t, pipe());
  assert.deepEqual(describe(read), { fd: read, kind: 'pipe', closeOnExec: true, nonBlocking: false });
  setNonBlocking(read, true);
  setCloseOnExec(read, false);
  assert.deepEqual(describe(read), { fd: read, kind: 'pipe', closeOnExec: false, nonBlocking: true });
  for (const [path, kind] of [
    ['/dev/null', 'character-device'],
    ['/', 'directory'],
    [process.execPath, 'file'],
  ] as const) {
    const fd = openSync(path, 'r');
    t.after(() => closeSync(fd));
    assert.equal(describe(fd).kind, kind);
  }
});

/** A block device: one that is made in `folder`, or else one of this machine's. Null where there is neither. */
function blockDevice(folder: string): string | null {
  const path = join(folder, 'device');
  const made = spawnSync('mknod', [path, 'b', '7', '0'], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  if (made.status === 0) return path;
  // Only root makes one, and many containers keep CAP_MKNOD even from root. Any other failure is one.
  assert.match(made.stderr, /Operation not permitted/);
  const device = readdirSync('/dev', { withFileTypes: true }).find((entry) => entry.isBlockDevice());
  return device === undefined ? null : join('/dev', device.name);
}

test('a block device', { skip: unlessLinux }, (t) => {
  const path = blockDevice(temporaryFolder(t));
  if (path === null) return t.skip('there is no block device here, and to make one takes CAP_MKNOD');
  // Whatever device that is, it is not opened so, and nobody needs a permission for it.
  const O_PATH = 0o10_000_000;
  const fd = openSync(path, O_PATH);
  t.after(() => closeSync(fd));
  assert.equal(describe(fd).kind, 'block-device');
});

test('what has no kind of file', { skip: unlessLinux }, () => {
  // The event loop's own.
  const epoll = readdirSync('/proc/self/fd').find((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[eventpoll]';
    } catch {
      return false;
    }
  });
  assert.equal(describe(Number(epoll)).kind, 'other');
});

test('sockets of other families and types', { skip: unlessPython }, () => {
  const child = runModule(`console.log(JSON.stringify([fd.describe(8), fd.describe(9)]));`, {
    before: withSockets(
      'a = socket(AF_NETLINK, SOCK_RAW); b = socket(AF_UNIX, SOCK_SEQPACKET); os.dup2(a.fileno(), 8); os.dup2(b.fileno(), 9)',
    ),
  });
  // Node has set close-on-exec when it started.
  const inherited = { ...base, nonBlocking: false };
  assert.deepEqual(resultOf(child), [
    { ...inherited, fd: 8 },
    { ...inherited, fd: 9, family: 'unix', type: 'seqpacket' },
  ]);
});

test('a closed descriptor is EBADF', () => {
  assert.throws(() => describe(999_999), { code: 'EBADF', fd: 999_999 });
});
