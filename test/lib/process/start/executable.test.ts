import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkExecutable, findExecutable } from '../../../../lib/process/start/executable.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let folder: TemporaryFolder;

beforeEach(() => {
  folder = new TemporaryFolder();
  mkdirSync(folder.file('bin'));
  for (const name of ['program', 'bin/program', 'data']) writeFileSync(folder.file(name), '#!/bin/sh\n');
  for (const name of ['program', 'bin/program']) chmodSync(folder.file(name), 0o755);
});
afterEach(() => folder[Symbol.dispose]());

describe('a program', () => {
  const find = (command: string, PATH = '') => findExecutable({ command, env: { PATH }, cwd: folder.path });

  it('is found by its path, from the folder that it is started in', () => {
    expect(find('./program')).toBe(folder.file('program'));
    expect(find('bin/program')).toBe(folder.file('bin/program'));
    expect(find(folder.file('program'))).toBe(folder.file('program'));
  });

  it('is found by its name in the PATH of its environment', () => {
    expect(find('program', `/nowhere:${folder.file('bin')}`)).toBe(folder.file('bin/program'));
    expect(findExecutable({ command: 'sh', env: {}, cwd: '/' })).toMatch(/\/sh$/);
  });

  it.each([
    ['nothing', 'ENOENT'],
    ['./nothing', 'ENOENT'],
    ['./data', 'EACCES'],
    ['./bin', 'EACCES'],
    ['bin', 'EACCES'],
  ])('%s is none: %s', (command, code) => {
    expect(() => find(command, folder.path)).toThrow(expect.objectContaining({ code }));
  });
});

describe('a path that cannot be run', () => {
  it.each([
    ['nothing', 'ENOENT'],
    ['data', 'EACCES'],
    ['bin', 'EACCES'],
  ])('%s: %s', (name, code) => {
    expect(() => checkExecutable(folder.file(name))).toThrow(expect.objectContaining({ code }));
  });

  it('is no file with permission to execute it', () => {
    expect(() => checkExecutable(folder.file('program'))).not.toThrow();
  });
});
