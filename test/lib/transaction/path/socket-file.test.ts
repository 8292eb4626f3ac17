import { existsSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { bindUnix } from '../../../../lib/fd/socket.ts';
import { SocketFile } from '../../../../lib/transaction/path/socket-file.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let folder: TemporaryFolder;
let path: string;
let sockets: OwnedFd[];
beforeEach(() => {
  folder = new TemporaryFolder();
  path = folder.file('it.sock');
  sockets = [bound()];
});
afterEach(() => {
  for (const socket of sockets) socket.close();
  folder[Symbol.dispose]();
});

const bound = () => new OwnedFd(bindUnix(path), 'the socket of a test');

describe('the file of a socket', () => {
  it('is known again in another process, by what the manifest tells', () => {
    const file = SocketFile.bound(path);
    expect([file.state(), SocketFile.noted(path, file.notes.file).state()]).toEqual(['there', 'there']);
    expect(SocketFile.noted(path, '1:1').state()).toBe('replaced');
    expect(SocketFile.lost(path).state()).toBe('replaced');
  });

  it('is missing when it was removed, and when it was moved away: that leads to it by no path that is known', () => {
    const file = SocketFile.bound(path);
    renameSync(path, folder.file('elsewhere'));
    expect(file.state()).toBe('missing');
    renameSync(folder.file('elsewhere'), path);
    expect(file.state()).toBe('there');
    rmSync(path);
    expect(file.state()).toBe('missing');
    file.remove();
  });

  it.each<[string, () => void]>([
    ['another socket', () => void sockets.push(bound())],
    ['a file', () => writeFileSync(path, '')],
    ['a link', () => symlinkSync(folder.file('nowhere'), path)],
  ])('that was replaced by %s is not removed', (_what, replace) => {
    const file = SocketFile.bound(path);
    rmSync(path);
    replace();
    expect(file.state()).toBe('replaced');
    file.remove();
    expect(SocketFile.bound(path).notes).not.toEqual({});
  });

  it('of which nobody has told anything is any socket at the path, and no other file', () => {
    for (const note of [undefined, null, 7]) {
      const file = SocketFile.noted(path, note);
      expect([file.state(), file.notes]).toEqual(['there', {}]);
    }
    rmSync(path);
    writeFileSync(path, '');
    expect(SocketFile.noted(path, undefined).state()).toBe('replaced');
  });

  it('goes with the socket', () => {
    SocketFile.bound(path).remove();
    expect(existsSync(path)).toBe(false);
  });

  it('is none of an abstract socket, which cannot be removed', () => {
    const file = SocketFile.bound('@it');
    expect([file.state(), file.notes]).toEqual(['there', {}]);
    file.remove();
  });
});
