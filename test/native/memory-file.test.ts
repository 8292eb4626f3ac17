import assert from 'node:assert/strict';
import { fstatSync, readSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { close, getCloseOnExec } from '../../lib/fd/descriptor.ts';
import { memoryFile } from '../../lib/fd/memory-file.ts';
import { unlessLinux } from './support.ts';

test('a file in memory is written and read, and is not inherited', { skip: unlessLinux }, (t) => {
  const file = memoryFile('a test');
  // The addon as it is compiled for macOS.
  if (file === null) return t.skip('the addon has none');
  t.after(() => close(file));
  assert.equal(getCloseOnExec(file), true);
  assert.equal(fstatSync(file).size, 0);
  writeSync(file, 'twice as long as it was: ');
  writeSync(file, 'it grows');
  const read = Buffer.alloc(64);
  assert.equal(read.toString('utf8', 0, readSync(file, read, 0, 64, 0)), 'twice as long as it was: it grows');
});

test('macOS has none', { skip: process.platform !== 'darwin' && 'needs macOS' }, () => {
  assert.equal(memoryFile('a test'), null);
});

test('a name is text', () => {
  assert.throws(() => memoryFile(1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
});
