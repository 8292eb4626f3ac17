import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { PidFilePost } from '../../../../lib/lifecycle/parts/pid-file-post.ts';
import { PidFile } from '../../../../lib/process/pid-file.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

const mustNotFail = (error: unknown) => {
  throw error;
};
const own = `${process.pid}\n`;

it('writes, gives away and removes its file', () => {
  using folder = new TemporaryFolder();
  const path = folder.file('app.pid');
  const post = new PidFilePost(new PidFile(path), mustNotFail);
  post.start();
  expect(readFileSync(path, 'utf8')).toBe(own);
  post.bequeath(process.ppid);
  expect(readFileSync(path, 'utf8')).toBe(`${process.ppid}\n`);
  // Another process's by now.
  post.remove();
  expect(existsSync(path)).toBe(true);
  post.write();
  post.remove();
  expect(existsSync(path)).toBe(false);
});

it('beside others it leaves the file of one that lives alone', () => {
  using folder = new TemporaryFolder();
  const path = folder.file('app.pid');
  const post = new PidFilePost(new PidFile(path), mustNotFail);
  writeFileSync(path, `${process.ppid}\n`);
  post.writeIfFree(null);
  expect(readFileSync(path, 'utf8')).toBe(`${process.ppid}\n`);
  post.writeIfFree(process.ppid);
  expect(readFileSync(path, 'utf8')).toBe(own);
});

it('once somebody serves, a file that cannot be written is only reported', () => {
  using folder = new TemporaryFolder();
  const path = folder.file('app.pid');
  const report = vi.fn();
  const post = new PidFilePost(new PidFile(path), report);
  mkdirSync(path);
  post.write();
  expect(report).toHaveBeenCalledTimes(1);
  expect(() => post.start()).toThrow();
});

it('without a file nothing happens', () => {
  const post = new PidFilePost(null, mustNotFail);
  post.start();
  post.write();
  post.writeIfFree(null);
  post.bequeath(1);
  post.remove();
});
