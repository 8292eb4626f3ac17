import { chmodSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isKeptByRoot, type Step, wayTo } from '../../../../lib/transaction/path/way.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

describe('isKeptByRoot', () => {
  const root: Step = { path: '/', is: 'folder', uid: 0, mode: 0o755 };
  const folder = (path: string, mode = 0o755, uid = 0): Step => ({ path, is: 'folder', uid, mode });
  const link = (path: string, uid = 0): Step => ({ path, is: 'link', uid, mode: 0o777 });

  it.each<[string, Step[], boolean]>([
    ['root alone', [root, folder('/run'), folder('/run/app', 0o700)], true],
    ['the root folder itself', [root], true],
    ['nothing at all', [], false],
    ['a folder of the service', [root, folder('/run'), folder('/run/app', 0o755, 33)], false],
    ['a folder of a user further up', [root, folder('/home/eve', 0o755, 1000), folder('/home/eve/app')], false],
    ['a group that may write', [root, folder('/run', 0o775)], false],
    ['everybody may write', [root, folder('/run', 0o777)], false],
    ['a group that may write further up', [root, folder('/srv', 0o775), folder('/srv/app')], false],
    ['a sticky folder', [root, folder('/tmp', 0o1777)], false],
    ['a folder of root in a sticky one', [root, folder('/tmp', 0o1777), folder('/tmp/app')], true],
    ['a folder of a user in a sticky one', [root, folder('/tmp', 0o1777), folder('/tmp/app', 0o755, 1000)], false],
    ['a sticky folder of a user', [root, folder('/eve', 0o1777, 1000), folder('/eve/app')], false],
    ['a link of root', [root, folder('/var'), link('/var/run'), folder('/run')], true],
    ['a link of a user', [root, folder('/tmp', 0o1777), link('/tmp/run', 1000), folder('/run')], false],
    ['a link that ends in a sticky folder', [root, link('/x'), folder('/tmp', 0o1777)], false],
    ['setgid, and none may write', [root, folder('/run/app', 0o2755)], true],
    ['setgid, and the group may write', [root, folder('/run/app', 0o2775)], false],
  ])('%s', (_what, steps, kept) => {
    expect(isKeptByRoot(steps)).toBe(kept);
  });
});

describe('wayTo', () => {
  let scratch: TemporaryFolder;
  let base: string;
  beforeEach(() => {
    scratch = new TemporaryFolder();
    base = realpathSync(scratch.path);
  });
  afterEach(() => scratch[Symbol.dispose]());

  const paths = (path: string) => wayTo(path).map((step) => step.path.replace(base, ''));
  const above = () => wayTo(`${base}/x`).length;

  it('goes by every folder, from the root folder on', () => {
    mkdirSync(`${base}/a/b`, { recursive: true });
    chmodSync(`${base}/a`, 0o1777);
    expect(paths(`${base}/a/b/app.sock`).slice(above())).toEqual(['/a', '/a/b']);
    expect(wayTo(`${base}/a/b/app.sock`)[0]).toMatchObject({ path: '/', is: 'folder' });
    expect(wayTo(`${base}/a/app.sock`).at(-1)).toMatchObject({ mode: 0o1777, uid: process.getuid?.() });
  });

  it('tells of a link between two links, in whose folder somebody could lead it elsewhere', () => {
    mkdirSync(`${base}/end`);
    mkdirSync(`${base}/open`);
    symlinkSync('open/second', `${base}/first`);
    symlinkSync('../end', `${base}/open/second`);
    expect(paths(`${base}/first/app.sock`).slice(above())).toEqual(['/first', '/open', '/open/second', '/end']);
  });

  it('begins again at the root folder for an absolute link', () => {
    mkdirSync(`${base}/end`);
    symlinkSync(`${base}/end`, `${base}/link`);
    expect(paths(`${base}/link/app.sock`).at(-1)).toBe('/end');
  });

  it('ends where links lead round, and where nothing is there', () => {
    symlinkSync('b', `${base}/a`);
    symlinkSync('a', `${base}/b`);
    expect(() => wayTo(`${base}/a/app.sock`)).toThrow(expect.objectContaining({ code: 'ELOOP' }));
    expect(() => wayTo(`${base}/c/app.sock`)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});
