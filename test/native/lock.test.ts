import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { close, dup } from '../../lib/fd/descriptor.ts';
import { tryLock, unlock } from '../../lib/fd/lock.ts';
import { resultOf, runModule, temporaryFolder } from './support.ts';

test('one open file description has the lock, with all its copies, until the last closes', (t) => {
  const path = join(temporaryFolder(t), 'lock');
  const first = openSync(path, 'w');
  const second = openSync(path, 'r');
  t.after(() => closeSync(second));
  assert.equal(tryLock(first), true);
  assert.equal(tryLock(first), true);
  assert.equal(tryLock(second), false);
  const copy = dup(first);
  closeSync(first);
  assert.equal(tryLock(second), false);
  close(copy);
  assert.equal(tryLock(second), true);
  unlock(second);
});

test('another process sees it, and its death releases it', (t) => {
  const path = join(temporaryFolder(t), 'lock');
  const file = openSync(path, 'w');
  t.after(() => closeSync(file));
  const attempt = `
    const { openSync } = await import('node:fs');
    const file = openSync(${JSON.stringify(path)}, 'r');
    console.log(JSON.stringify(fd.tryLock(file)));
  `;
  tryLock(file);
  assert.equal(resultOf(runModule(attempt)), false);
  unlock(file);
  // It ends without unlocking.
  assert.equal(resultOf(runModule(attempt)), true);
  assert.equal(tryLock(file), true);
});

test('locking nothing is an error', () => {
  assert.throws(() => tryLock(999_999), { code: 'EBADF', syscall: 'flock' });
  assert.throws(() => unlock(999_999), { code: 'EBADF', syscall: 'flock' });
});
