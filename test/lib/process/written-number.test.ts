import { execFileSync, spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
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

it('reads what a PID file has, and nothing that somebody has put in its place', () => {
  using folder = new TemporaryFolder();
  const path = folder.file('app.pid');
  writeFileSync(path, '7\n');
  expect(WrittenNumber.read(path)).toBe(7);
  const link = folder.file('link.pid');
  symlinkSync(path, link);
  expect(WrittenNumber.read(link)).toBeNull();
  mkdirSync(folder.file('folder.pid'));
  expect(WrittenNumber.read(folder.file('folder.pid'))).toBeNull();
  const long = folder.file('long.pid');
  writeFileSync(long, `7${'\n'.repeat(100_000)}`);
  expect(WrittenNumber.read(long)).toBeNull();
  expect(WrittenNumber.read('/dev/zero')).toBeNull();
  expect(WrittenNumber.read(folder.file('none.pid'))).toBeNull();
});

it.runIf(process.platform === 'linux')('does not wait for a named pipe that nobody writes to', () => {
  using folder = new TemporaryFolder();
  const path = folder.file('app.pid');
  execFileSync('mkfifo', [path]);
  expect(WrittenNumber.read(path)).toBeNull();
  expect(WrittenNumber.replace(path, '7\n')).toBe(false);
});

// What a service that may not remove its file leaves. The number of a process that is gone would be somebody's one day.
it.runIf(process.platform === 'linux')('an empty one names nobody to a script or to start-stop-daemon', () => {
  using folder = new TemporaryFolder();
  const path = folder.file('app.pid');
  writeFileSync(path, '7\n');
  expect(WrittenNumber.replace(path, '')).toBe(true);
  expect(spawnSync('sh', ['-c', 'kill -0 "$(cat "$0")"', path]).status).not.toBe(0);
  const stop = spawnSync('start-stop-daemon', ['--stop', '--oknodo', '--pidfile', path], { encoding: 'utf8' });
  if (stop.error === undefined) expect([stop.status, stop.stdout]).toEqual([0, expect.stringContaining('none killed')]);
});
