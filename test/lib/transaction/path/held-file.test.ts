import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, test } from 'vitest';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { bindUnix } from '../../../../lib/fd/socket.ts';
import { applyFileRights } from '../../../../lib/transaction/path/file-rights.ts';
import { HeldFile } from '../../../../lib/transaction/path/held-file.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

const asRoot = process.getuid?.() === 0;

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let socket: OwnedFd;
let path: string;
let secret: string;

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  path = folder.file('x.sock');
  secret = folder.file('secret');
  writeFileSync(secret, 'for its owner alone', { mode: 0o600 });
  socket = new OwnedFd(bindUnix(path, { mode: 0o600 }));
});
afterEach(async () => {
  socket.close();
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

it('is changed itself where a link has its name by now', () => {
  using held = HeldFile.at(path);
  renameSync(path, `${path}.aside`);
  symlinkSync(secret, path);
  expect(held.look().isSocket()).toBe(true);
  held.changeMode(0o666);
  expect(statSync(secret).mode & 0o777).toBe(0o600);
  expect(lstatSync(`${path}.aside`).mode & 0o777).toBe(0o666);
});

it.skipIf(!asRoot)('is given away itself where another file has its name by now', () => {
  using held = HeldFile.at(path);
  renameSync(path, `${path}.aside`);
  renameSync(secret, path);
  held.changeOwner(65534, 65533);
  expect(statSync(path).uid).toBe(0);
  expect(statSync(`${path}.aside`)).toMatchObject({ uid: 65534, gid: 65533 });
});

it('a link is held itself, and never what it leads to', () => {
  const link = folder.file('link');
  symlinkSync(secret, link);
  using held = HeldFile.at(link);
  expect(held.look().isSymbolicLink()).toBe(true);
});

it('what fails is told of the path', () => {
  expect(() => HeldFile.at(folder.file('gone'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  if (asRoot) return;
  using held = HeldFile.at(path);
  expect(() => held.changeOwner(0, 0)).toThrow(expect.objectContaining({ code: 'EPERM', path, syscall: 'chown' }));
});

/** Swaps the socket for something else and back, as fast as it can: a symbolic link, or a second name of the file. */
const swapper = `
const { renameSync, symlinkSync, linkSync } = require('node:fs');
const [how, path, secret] = process.argv.slice(1);
console.log('swapping');
for (;;) {
  renameSync(path, path + '.aside');
  (how === 'link' ? symlinkSync : linkSync)(secret, path);
  renameSync(path, path + '.used');
  require('node:fs').unlinkSync(path + '.used');
  renameSync(path + '.aside', path);
}`;

test.each(['link', 'name'])(
  'whoever swaps the socket for another %s of a secret file opens it to nobody',
  async (how) => {
    const child = spawn(process.execPath, ['-e', swapper, how, path, secret], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      const before = statSync(secret);
      for (let round = 0; round < 20_000; round++) {
        try {
          applyFileRights(path, {
            mode: round % 2 === 0 ? 0o666 : 0o660,
            ...(asRoot ? { owner: { uid: round % 2 } } : {}),
          });
        } catch (error) {
          // Between two names, as a test with a hostile neighbour is most of the time.
          expect(error).toMatchObject({ code: 'ENOENT' });
        }
      }
      const { mode, uid } = statSync(secret);
      expect([mode, uid]).toEqual([before.mode, before.uid]);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  },
);
