import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { constants } from 'node:os';
import { test } from 'node:test';
import { bindTcp, listen } from '../../lib/fd/socket.ts';
import { systemError } from '../../lib/fd/system-error.ts';
import { closeLater, portOf } from './support.ts';

test('the members are those of the error that Node makes for the same failure', async (t) => {
  const fd = closeLater(t, bindTcp('127.0.0.1', 0));
  listen(fd);
  const port = portOf(fd);
  const server = net.createServer().listen(port, '127.0.0.1');
  const [theirs] = await once(server, 'error');
  const ours = systemError(-constants.errno.EADDRINUSE, 'listen', { address: '127.0.0.1', port });
  assert.equal(ours.message, theirs.message);
  assert.deepEqual({ ...ours }, { ...theirs });
  assert.equal(ours.name, theirs.name);
});

test('every kind of subject is in the message and among the members', () => {
  const errno = -constants.errno.ENOENT;
  const message = 'connect ENOENT: no such file or directory';
  assert.equal(systemError(errno, 'connect').message, message);
  const byPath = systemError(errno, 'connect', { path: '/a b' });
  assert.deepEqual([byPath.message, byPath.path], [`${message} '/a b'`, '/a b']);
  const byFd = systemError(errno, 'connect', { fd: 4 });
  assert.deepEqual([byFd.message, byFd.fd], [`${message}, fd 4`, 4]);
  assert.match(byFd.stack?.split('\n')[1] ?? '', /system-error\.test/);
});

test('errors that Node has no table entry for have their names too', () => {
  assert.equal(systemError(process.platform === 'linux' ? -109 : -59, 'sendmsg').code, 'ETOOMANYREFS');
  assert.equal(systemError(-constants.errno.ENOLCK, 'flock').code, 'ENOLCK');
  assert.equal(systemError(-4000, 'flock').code, 'Unknown system error -4000');
});
