import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pipe } from '../../lib/fd/descriptor.ts';
import { getReuse, setReuse } from '../../lib/fd/reuse.ts';
import { bindUdp } from '../../lib/fd/socket.ts';
import { closeLater, portOf, unlessLinux } from './support.ts';

test('getReuse tells what a socket was bound with', (t) => {
  assert.deepEqual(getReuse(closeLater(t, bindUdp('127.0.0.1', 0))), { address: false, port: false });
  const shared = closeLater(t, bindUdp('127.0.0.1', 0, { reuseAddress: true, reusePort: true }));
  assert.deepEqual(getReuse(shared), { address: true, port: true });
});

test('setReuse opens an address to others, and closes it again', { skip: unlessLinux }, (t) => {
  const first = closeLater(t, bindUdp('127.0.0.1', 0));
  const again = () => closeLater(t, bindUdp('127.0.0.1', portOf(first), { reuseAddress: true }));
  assert.throws(again, { code: 'EADDRINUSE' });
  setReuse(first, { address: true, port: false });
  assert.deepEqual(getReuse(first), { address: true, port: false });
  setReuse(again(), { address: false, port: false });
  setReuse(first, { address: false, port: false });
  assert.throws(again, { code: 'EADDRINUSE' });
});

test('what is no socket is an error as Node makes it', (t) => {
  const [read] = closeLater(t, pipe());
  assert.throws(() => getReuse(read), { code: 'ENOTSOCK', syscall: 'getsockopt', fd: read });
  assert.throws(() => setReuse(read, { address: true, port: true }), { code: 'ENOTSOCK', syscall: 'setsockopt' });
  assert.throws(() => getReuse(-1), { code: 'ERR_OUT_OF_RANGE' });
  assert.throws(() => setReuse(read, { address: 1 as never, port: true }), { code: 'ERR_INVALID_ARG_TYPE' });
});
