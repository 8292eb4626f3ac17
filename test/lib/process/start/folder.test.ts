import { mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FolderEvidence, folderOfStart } from '../../../../lib/process/start/folder.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let folder: TemporaryFolder;
let release: string;
let link: string;

beforeEach(() => {
  folder = new TemporaryFolder();
  release = join(realpathSync(folder.path), 'release-1');
  mkdirSync(release);
  link = join(folder.path, 'current');
  symlinkSync('release-1', link);
});
afterEach(() => folder[Symbol.dispose]());

const told = ({ script = null, ...evidence }: Partial<Omit<FolderEvidence, 'script'>> & { script?: string | null }) =>
  folderOfStart({ current: release, pwd: undefined, found: undefined, ...evidence, script: () => script });

describe('the folder of a start', () => {
  it('is the current one, through the links by which the shell entered it', () => {
    expect(told({})).toBe(release);
    expect(told({ pwd: link })).toBe(link);
  });

  it.each(['/', '/nowhere', 'relative'])('does not follow a PWD that speaks of another folder: %s', (pwd) => {
    expect(told({ pwd })).toBe(release);
    expect(told({ pwd, script: 'server.js', found: join(release, 'server.js') })).toBe(release);
  });

  it('is told by a relative script, where the program has left it', () => {
    const left = { current: '/', script: './lib/../bin/server.js', found: join(release, 'bin/server.js') };
    expect(told(left)).toBe(release);
    expect(told({ ...left, pwd: link })).toBe(link);
    expect(told({ current: '/', script: '.', found: release })).toBe(release);
    expect(told({ current: release, script: 'server.js', found: '/server.js' })).toBe('/');
  });

  it('is that of PWD where the script leads upwards from there', () => {
    const found = join(release, '../shared/server.js');
    expect(told({ current: '/', pwd: link, script: '../shared/server.js', found })).toBe(link);
  });

  it('is the current one where nothing tells', () => {
    const found = join(release, '../shared/server.js');
    expect(told({ current: '/', script: '../shared/server.js', found })).toBe('/');
    expect(told({ current: '/', pwd: link, script: '/srv/server.js', found: '/srv/server.js' })).toBe('/');
  });

  it('is the name that is left of one that was removed', () => {
    expect(told({ current: null, pwd: '/was/here' })).toBe('/was/here');
    expect(told({ current: null })).toBe('/');
    expect(told({ current: null, script: 'server.js', found: '/was/there/server.js' })).toBe('/was/there');
  });
});
