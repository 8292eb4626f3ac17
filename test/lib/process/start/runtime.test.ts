import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Runtime } from '../../../../lib/process/start/runtime.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let folder: TemporaryFolder;
let cwd: string;
let executable: string;
let link: string;

beforeEach(() => {
  folder = new TemporaryFolder();
  cwd = realpathSync(folder.path);
  mkdirSync(folder.file('node-1'));
  executable = join(cwd, 'node-1/node');
  writeFileSync(executable, '#!/bin/sh\n');
  chmodSync(executable, 0o755);
  symlinkSync('node-1', folder.file('node'));
  link = join(cwd, 'node/node');
});
afterEach(() => folder[Symbol.dispose]());

const runtime = (name: string, PATH = '/nowhere') => new Runtime(name, { cwd, PATH }, executable);

describe('what runs this process', () => {
  it('is started again by the name that was used: a path, one from the folder of the start, one in PATH', () => {
    expect(runtime(link).command).toBe(link);
    expect(runtime('node/node').command).toBe('node/node');
    expect(runtime('node', join(cwd, 'node')).command).toBe('node');
    expect(runtime(link).missing).toBeNull();
  });

  it('keeps the name when that leads to another one by then', () => {
    const started = runtime(link);
    mkdirSync(folder.file('node-2'));
    copyFileSync(executable, folder.file('node-2/node'));
    rmSync(folder.file('node'));
    symlinkSync('node-2', folder.file('node'));
    rmSync(folder.file('node-1'), { recursive: true });
    expect([started.command, started.missing]).toEqual([link, null]);
    expect([started.is(link), started.is(executable), started.is('/bin/true')]).toEqual([true, true, false]);
  });

  it('is not believed to be a name that means something else', () => {
    for (const name of ['my server', '-node', '/bin/true', 'true']) {
      expect(runtime(name, '/bin').command).toBe(executable);
    }
  });

  it('is what the name led to, where the link alone was removed', () => {
    const started = runtime(link);
    rmSync(folder.file('node'));
    expect([started.command, started.missing]).toEqual([executable, null]);
  });

  it('is missing where both were: the name is told, and what it was', () => {
    const [byLink, byItself] = [runtime(link), runtime(executable)];
    renameSync(folder.file('node-1'), folder.file('elsewhere'));
    expect([byLink.command, byLink.missing]).toEqual([link, `${link} (which was ${executable})`]);
    expect([byItself.command, byItself.missing]).toEqual([executable, executable]);
  });

  it('that is removed before this is looked for keeps its name', () => {
    renameSync(executable, folder.file('node-1/old'));
    writeFileSync(executable, '#!/bin/sh\n');
    chmodSync(executable, 0o755);
    expect(new Runtime(link, { cwd, PATH: undefined }, `${executable} (deleted)`).command).toBe(link);
  });
});
