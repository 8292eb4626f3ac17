import { chownSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pathError } from '../../../../lib/transaction/path/path-error.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let folder: TemporaryFolder;
beforeEach(() => {
  folder = new TemporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** As the system says it. */
const systemError = (code: string) =>
  Object.assign(new Error(`bind ${code}: as the system says it`), { code, errno: -1, syscall: 'bind' });

function told(code: string, path: string): Error {
  return pathError(systemError(code), 'The socket', path) as Error;
}

/** What the system says when it is asked. */
function causedBy(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

describe('an error of the system for a path', () => {
  it('says what it was for and what to do, and is still that error', () => {
    const path = folder.file('no/app.sock');
    const cause = causedBy(() => lstatSync(path));
    expect(pathError(cause, 'The control socket', path)).toMatchObject({
      code: 'ENOENT',
      syscall: 'lstat',
      errno: expect.any(Number),
      path,
      cause,
      message: expect.stringMatching(
        new RegExp(
          `^The control socket ${path} cannot be used: ENOENT: .*\\. The folder ${folder.file('no')} does not exist: make it`,
        ),
      ),
    });
  });

  it.each<[string, RegExp]>([
    ['ENOENT', /file system of .* takes no such file/],
    ['ENOTDIR', /is a file and not a folder/],
    ['ELOOP', /symbolic links/],
    ['EACCES', /User \d+ may not write to .*chown/],
    ['EPERM', /file system .* does not allow it/],
    ['EROFS', /can only be read/],
    ['ENOSPC', /no room left .*df -i/],
    ['EDQUOT', /by the quota of this user/],
    ['EOPNOTSUPP', /no sockets, or no locks/],
    ['ENOLCK', /no sockets, or no locks/],
    ['EMFILE', /raise its limit/],
    ['ENFILE', /raise its limit/],
  ])('%s', (code, advice) => {
    expect(told(code, folder.file('app.sock')).message).toMatch(advice);
  });

  it('tells how long a path is that is too long, in bytes, and how long it may be', () => {
    const path = `/tmp/${'ä'.repeat(60)}`;
    expect(told('ENAMETOOLONG', path).message).toMatch(/has 125 bytes, and the path of a socket has 10[37] at most/);
  });

  it('tells whose a file is that this user may not use', () => {
    const path = folder.file('app.sock');
    writeFileSync(path, '');
    // Its own may not be removed either, in a folder that is another's.
    expect(told('EACCES', path).message).toContain(`may not write to ${folder.path}`);
    if (process.geteuid?.() === 0) chownSync(path, 65534, 65534);
    const another = process.geteuid?.() === 0 ? path : '/etc/passwd';
    const { uid } = lstatSync(another);
    expect(told('EACCES', another).message).toContain(`It belongs to user ${uid}, and this process`);
  });

  it('knows what the system really says of a file on the way, and of links that go round', () => {
    writeFileSync(folder.file('file'), '');
    symlinkSync(folder.file('loop'), folder.file('loop'));
    for (const [name, advice] of [
      ['file/app.sock', /is a file and not a folder/],
      ['loop/app.sock', /symbolic links/],
    ] as const) {
      const path = folder.file(name);
      const error = pathError(
        causedBy(() => mkdirSync(path)),
        'The socket',
        path,
      );
      expect((error as Error).message).toMatch(advice);
    }
  });

  it('adds nothing that it does not know', () => {
    expect(told('EIO', '/x').message).toBe('The socket /x cannot be used: bind EIO: as the system says it.');
  });

  it.each([new Error('no error of the system'), 'no error', null])('%s is given back as it is', (error) => {
    expect(pathError(error, 'The socket', '/x')).toBe(error);
  });
});
