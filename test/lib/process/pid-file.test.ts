import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PidFile } from '../../../lib/process/pid-file.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let folder: TemporaryFolder;
let file: PidFile;
beforeEach(() => {
  folder = new TemporaryFolder();
  file = new PidFile(folder.file('app.pid'));
});
afterEach(() => folder[Symbol.dispose]());

const content = () => readFileSync(file.path, 'utf8');

/** The id of a process that has ended, and was waited for. */
function goneProcess(): number {
  return spawnSync(process.execPath, ['-e', '0']).pid;
}

describe('write', () => {
  it('names this process, for everybody to read, and leaves nothing else behind', () => {
    file.write();
    expect(content()).toBe(`${process.pid}\n`);
    expect(statSync(file.path).mode & 0o444).toBe(0o444);
    expect(statSync(file.path).mode & 0o022).toBe(0);
    file.write(1);
    expect(content()).toBe('1\n');
    expect(readdirSync(folder.path)).toEqual(['app.pid']);
  });

  it('replaces the file and does not write into it: who has it open reads the old number', () => {
    file.write(1);
    const before = statSync(file.path).ino;
    file.write();
    expect(statSync(file.path).ino).not.toBe(before);
  });

  it('tells the path and the reason when it cannot, and leaves nothing behind', () => {
    mkdirSync(file.path);
    expect(() => file.write()).toThrow(new RegExp(`PID file ${file.path} cannot be written: E(ISDIR|EXIST|NOTEMPTY)`));
    expect(readdirSync(folder.path)).toEqual(['app.pid']);
  });
});

describe('check', () => {
  it('leaves nothing behind where all is well, and an old file as it is', () => {
    file.check();
    expect(readdirSync(folder.path)).toEqual([]);
    writeFileSync(file.path, 'something');
    file.check();
    expect(content()).toBe('something');
  });

  it('tells of a folder that is not there', () => {
    const lost = new PidFile(folder.file('missing/app.pid'));
    expect(() => lost.check()).toThrow(expect.objectContaining({ code: 'ENOENT', path: lost.path }));
    expect(() => lost.check()).toThrow(/missing\/app\.pid cannot be written/);
  });

  it('tells of a folder that cannot be written to', { skip: process.getuid?.() === 0 }, () => {
    chmodSync(folder.path, 0o500);
    expect(() => file.check()).toThrow(expect.objectContaining({ code: 'EACCES' }));
    chmodSync(folder.path, 0o700);
  });

  it('leaves alone what is not a file', () => {
    mkdirSync(file.path);
    expect(() => file.check()).toThrow(expect.objectContaining({ code: 'ERR_HANDOFF_ALREADY_OWNED' }));
    rmSync(file.path, { recursive: true });
    symlinkSync('/etc/hostname', file.path);
    expect(() => file.check()).toThrow(/not a regular file/);
  });
});

describe('of a service that root has started', { skip: process.getuid?.() !== 0 }, () => {
  const user = { uid: 65534, gid: 65534 };
  /** As that user, in a folder of root's. */
  const asUser = (act: () => void) => {
    chmodSync(folder.path, 0o755);
    process.seteuid?.(user.uid);
    try {
      act();
    } finally {
      process.seteuid?.(0);
    }
  };

  it('belongs to the user that is named from the check on, with what was in it', () => {
    const given = new PidFile(file.path, user);
    given.check();
    expect([content(), statSync(file.path).uid, statSync(file.path).gid]).toEqual(['', user.uid, user.gid]);
    rmSync(file.path);
    writeFileSync(file.path, '7\n');
    given.check();
    expect([content(), statSync(file.path).uid]).toEqual(['7\n', user.uid]);
    given.write();
    expect([content(), statSync(file.path).uid]).toEqual([`${process.pid}\n`, user.uid]);
    expect(readdirSync(folder.path)).toEqual(['app.pid']);
  });

  it('passes nothing on but a number: it could be what a link leads to', () => {
    const given = new PidFile(file.path, user);
    writeFileSync(file.path, 'for root alone');
    given.check();
    expect([content(), statSync(file.path).uid]).toEqual(['', user.uid]);
  });

  it('is written into where the folder is not to be written to, a shorter number over a longer one', () => {
    const given = new PidFile(file.path, user);
    given.check();
    asUser(() => {
      given.check();
      given.write(1_234_567);
      given.write(8);
      expect(content()).toBe('8\n');
      given.write();
      given.bequeath(9);
      expect(content()).toBe('9\n');
      given.write();
      given.remove();
      expect(content()).toBe('');
    });
  });

  it('is told of where root has left none', () => {
    asUser(() => {
      expect(() => file.check()).toThrow(expect.objectContaining({ code: 'EACCES' }));
      expect(() => file.write()).toThrow(expect.objectContaining({ code: 'EACCES' }));
    });
  });

  it('gives nobody what another name of the file stands for', () => {
    const secret = folder.file('secret');
    writeFileSync(secret, '7\n');
    linkSync(secret, file.path);
    new PidFile(file.path, user).check();
    expect([statSync(secret).uid, statSync(file.path).uid]).toEqual([0, user.uid]);
  });
});

describe('read', () => {
  it.each([
    ['7\n', 7],
    ['7', 7],
    ['', null],
    ['0\n', null],
    ['-1\n', null],
    ['7 8\n', null],
    ['seven\n', null],
    ['99999999999\n', null],
  ])('takes %j for %s', (text, pid) => {
    writeFileSync(file.path, text);
    expect(file.read()).toBe(pid);
  });

  it('takes no file for nobody', () => {
    expect(file.read()).toBeNull();
  });
});

describe('stranger', () => {
  it('is a living process that is neither this one nor the one that is gone', () => {
    expect(file.stranger()).toBeNull();
    file.write();
    expect(file.stranger()).toBeNull();
    file.write(process.ppid);
    expect(file.stranger()).toBe(process.ppid);
    expect(file.stranger(process.ppid)).toBeNull();
    // Of another user, unless the tests run as root.
    file.write(1);
    expect(file.stranger()).toBe(1);
    file.write(goneProcess());
    expect(file.stranger()).toBeNull();
  });
});

describe('bequeath', () => {
  it('puts another process in the place of this one, and of no other', () => {
    file.bequeath(7);
    expect(file.read()).toBeNull();
    file.write();
    file.bequeath(7);
    expect(file.read()).toBe(7);
    file.bequeath(8);
    expect(file.read()).toBe(7);
  });
});

describe('remove', () => {
  it('removes the file of this process, and of no other', () => {
    file.remove();
    file.write(1);
    file.remove();
    expect(file.read()).toBe(1);
    file.write();
    file.remove();
    expect(readdirSync(folder.path)).toEqual([]);
  });
});
