import { lstatSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { bindUnix } from '../../../../lib/fd/socket.ts';
import { applyFileRights } from '../../../../lib/transaction/path/file-rights.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

const asRoot = process.getuid?.() === 0;

let folder: TemporaryFolder;
let socket: OwnedFd;
let path: string;

beforeEach(() => {
  folder = new TemporaryFolder();
  path = folder.file('x.sock');
  socket = new OwnedFd(bindUnix(path, { mode: 0o640 }));
});
afterEach(() => {
  socket.close();
  folder[Symbol.dispose]();
});

function rights(): [mode: number, uid: number, gid: number] {
  const { mode, uid, gid } = lstatSync(path);
  return [mode & 0o777, uid, gid];
}

const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];

it('changes what is asked for, and leaves the rest', () => {
  applyFileRights(path, {});
  expect(rights()).toEqual([0o640, uid, gid]);
  applyFileRights(path, { mode: 0o606 });
  expect(rights()).toEqual([0o606, uid, gid]);
  applyFileRights(path, { owner: {} });
  expect(rights()).toEqual([0o606, uid, gid]);
});

it.skipIf(!asRoot)('gives the file away, as only root can', () => {
  applyFileRights(path, { mode: 0o620, owner: { uid: 65534, gid: 65533 } });
  expect(rights()).toEqual([0o620, 65534, 65533]);
  applyFileRights(path, { owner: { gid: 65532 } });
  expect(rights()).toEqual([0o620, 65534, 65532]);
});

it('does nothing to what is not a socket, or leads to one', () => {
  const file = folder.file('file');
  writeFileSync(file, '', { mode: 0o600 });
  const link = folder.file('link');
  symlinkSync(path, link);
  for (const other of [file, link]) applyFileRights(other, { mode: 0o666 });
  expect(lstatSync(file).mode & 0o777).toBe(0o600);
  expect(rights()).toEqual([0o640, uid, gid]);
});

it('has nothing to do for an abstract address, and throws for a file that is gone', () => {
  applyFileRights('@nowhere', { mode: 0o600 });
  expect(() => applyFileRights(folder.file('gone'), { mode: 0o600 })).toThrow(
    expect.objectContaining({ code: 'ENOENT' }),
  );
});
