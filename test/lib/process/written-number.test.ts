import { linkSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { pidIn, WrittenNumber } from '../../../lib/process/written-number.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

it.each([
  ['7\n', '12345\n', 12345],
  ['1234567\n', '8\n', 8],
  ['42', '43\n', 43],
  // As an interrupted replacement leaves it.
  ['42\n\n\n', '1000000\n', 1_000_000],
])('replaces %j by %j where it stands', (before, after, pid) => {
  using folder = new TemporaryFolder();
  const path = folder.file('app.pid');
  writeFileSync(path, before);
  const { ino } = statSync(path);
  expect(WrittenNumber.replace(path, null)).toBe(true);
  expect(WrittenNumber.replace(path, `${pid}\n`)).toBe(true);
  expect(readFileSync(path, 'utf8')).toBe(after);
  expect(statSync(path).ino).toBe(ino);
});

it.each(['seven\n', '7 8\n', `7${'\n'.repeat(100)}`])('leaves alone what is no PID file: %j', (text) => {
  using folder = new TemporaryFolder();
  const path = folder.file('app.pid');
  writeFileSync(path, text);
  expect(WrittenNumber.replace(path, null)).toBe(false);
  expect(WrittenNumber.replace(path, '8\n')).toBe(false);
  expect(readFileSync(path, 'utf8')).toBe(text);
});

it('follows no link to the file of somebody else, and makes none', () => {
  using folder = new TemporaryFolder();
  const other = folder.file('other.pid');
  writeFileSync(other, '7\n');
  symlinkSync(other, folder.file('soft.pid'));
  expect(WrittenNumber.replace(folder.file('soft.pid'), '8\n')).toBe(false);
  linkSync(other, folder.file('hard.pid'));
  expect(WrittenNumber.replace(folder.file('hard.pid'), '8\n')).toBe(false);
  expect(readFileSync(other, 'utf8')).toBe('7\n');
  expect(WrittenNumber.replace(folder.file('none.pid'), '8\n')).toBe(false);
});

it('names nobody where it is told so, and somebody again', () => {
  using folder = new TemporaryFolder();
  const path = folder.file('app.pid');
  writeFileSync(path, '7\n');
  expect(WrittenNumber.replace(path, '')).toBe(true);
  expect(readFileSync(path, 'utf8')).toBe('');
  expect(WrittenNumber.replace(path, '8\n')).toBe(true);
  expect(readFileSync(path, 'utf8')).toBe('8\n');
});

it('newlines behind the number are no other number', () => {
  expect(pidIn('42\n\n\n')).toBe(42);
  expect(pidIn('\n42')).toBeNull();
});
