import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { pipe } from '../../lib/fd/descriptor.ts';
import { peerCredentials } from '../../lib/fd/peer-credentials.ts';
import { accept, bindTcp, bindUnix, connectUnix, listen, socketPair } from '../../lib/fd/socket.ts';
import { closeLater, resultOf, runModule, temporaryFolder, unlessLinux } from './support.ts';

const own = { pid: process.pid, uid: process.geteuid?.(), gid: process.getegid?.() };

test('both sides of a connection know each other', (t) => {
  const path = join(temporaryFolder(t), 's');
  const listener = closeLater(t, bindUnix(path));
  listen(listener);
  const client = closeLater(t, connectUnix(path));
  const connection = closeLater(t, accept(listener) as number);
  assert.deepEqual(peerCredentials(client), own);
  assert.deepEqual(peerCredentials(connection), own);
  assert.deepEqual(peerCredentials(closeLater(t, socketPair())[0]), own);
});

test('the pid is that of the other process', (t) => {
  const path = join(temporaryFolder(t), 's');
  const listener = closeLater(t, bindUnix(path));
  listen(listener);
  const child = runModule(`
    const socket = fd.connectUnix(${JSON.stringify(path)});
    console.log(JSON.stringify([process.pid, fd.peerCredentials(socket).pid]));
  `);
  const [pid, seen] = resultOf<[number, number]>(child);
  const connection = closeLater(t, accept(listener) as number);
  // Still so although that process has gone: it is an identity at the time of the connection.
  if (process.platform === 'linux') assert.equal(peerCredentials(connection).pid, pid);
  assert.equal(seen, process.pid);
});

test('a listener that changed hands names its former process until listen is called again', {
  skip: unlessLinux,
}, (t) => {
  const folder = temporaryFolder(t);
  const child = runModule(`
    const path = ${JSON.stringify(join(folder, 's'))};
    const listener = fd.bindUnix(path);
    fd.listen(listener);
    const { spawnSync } = await import('node:child_process');
    const code = (again) => ${JSON.stringify(`
      const fd = await import(URL_OF_INDEX);
      AGAIN;
      const client = fd.connectUnix(PATH);
      console.log(fd.peerCredentials(client).pid === process.pid);
    `)}.replace('URL_OF_INDEX', ${JSON.stringify(JSON.stringify(new URL('../../lib/fd/index.ts', import.meta.url).href))})
      .replace('AGAIN', again ? 'fd.listen(3)' : '').replace('PATH', JSON.stringify(path));
    const run = (again) => spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code(again)],
      { stdio: ['ignore', 'pipe', 'inherit', listener], encoding: 'utf8' }).stdout.trim();
    console.log(JSON.stringify([run(false), run(true)]));
  `);
  assert.deepEqual(resultOf(child), ['false', 'true']);
});

test('whoever has no peer is not taken for anybody', (t) => {
  const path = join(temporaryFolder(t), 's');
  const unconnected = closeLater(t, bindUnix(path));
  const code = process.platform === 'linux' ? 'ENOTCONN' : /./;
  assert.throws(() => peerCredentials(unconnected), { code });
  assert.throws(() => peerCredentials(closeLater(t, bindTcp('127.0.0.1', 0))), { code });
  assert.throws(() => peerCredentials(closeLater(t, pipe())[0]), { code: 'ENOTSOCK', syscall: 'getsockopt' });
  assert.throws(() => peerCredentials(999_999), { code: 'EBADF' });
});
