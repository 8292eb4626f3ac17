import {
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dup, getCloseOnExec } from '../../../../lib/fd/descriptor.ts';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { OwnDescriptors } from '../../../../lib/servers/estate/own-descriptors.ts';
import { eventually } from '../../../support/eventually.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

const fresh = { inherited: null, rehearsed: false };

describe('descriptors of the application', () => {
  let descriptors: DescriptorCheck;
  let folder: TemporaryFolder;
  let reported: unknown[];
  let own: OwnDescriptors;
  let log: string;

  const open = () => openSync(log, 'a');
  /** Whether a number leads to the file that has the name now. */
  const leadsTo = (fd: number, path: string) => fstatSync(fd).ino === statSync(path).ino;

  beforeEach(() => {
    descriptors = new DescriptorCheck();
    folder = new TemporaryFolder();
    log = folder.file('log');
    reported = [];
    own = new OwnDescriptors(
      () => 2,
      (error) => reported.push(error),
    );
  });

  afterEach(async () => {
    own.close();
    folder[Symbol.dispose]();
    await descriptors[Symbol.asyncDispose]();
  });

  it('follow a file that was renamed, under the same number, which is the one that is handed over', async () => {
    const fd = await own.add('log', open, { reopen: true }, fresh);
    writeSync(fd, 'one\n');
    renameSync(log, `${log}.1`);
    writeSync(fd, 'two\n');
    own.reopen();
    await eventually(() => own.named[0]?.fd === fd && readlinkSync(`/proc/self/fd/${fd}`) === log);
    writeSync(fd, 'three\n');
    expect(readFileSync(`${log}.1`, 'utf8')).toBe('one\ntwo\n');
    expect(readFileSync(log, 'utf8')).toBe('three\n');
    expect(getCloseOnExec(fd)).toBe(true);
    expect(descriptors.opened()).toHaveLength(1);
  });

  it('stay what they are without that option', async () => {
    const fd = await own.add('log', open, {}, fresh);
    renameSync(log, `${log}.1`);
    own.reopen();
    const inherited = new OwnedFd(dup(fd), 'of a test');
    const other = await own.add('other', open, {}, { inherited, rehearsed: false });
    expect([leadsTo(fd, `${log}.1`), leadsTo(other, `${log}.1`)]).toEqual([true, true]);
  });

  it('are opened again where they were inherited; where that fails they stay, and it is told', async () => {
    const first = await own.add('first', open, { reopen: true }, fresh);
    renameSync(log, `${log}.1`);
    const inherited = new OwnedFd(dup(first), 'of a test');
    const second = await own.add('second', open, { reopen: true }, { inherited, rehearsed: false });
    expect(second).toBe(inherited.fd);
    expect(leadsTo(second, log)).toBe(true);
    const refused = new OwnedFd(dup(first), 'of a test');
    const failure = Object.assign(new Error('EACCES'), { code: 'EACCES' });
    const third = await own.add(
      'third',
      () => Promise.reject(failure),
      { reopen: true },
      { inherited: refused, rehearsed: false },
    );
    expect(leadsTo(third, `${log}.1`)).toBe(true);
    expect(reported).toEqual([failure]);
  });

  it('are tried again until there is a file to open, and told of once', async () => {
    const nested = folder.file('nested');
    mkdirSync(nested);
    log = `${nested}/log`;
    let tries = 0;
    const counting = () => {
      tries++;
      return open();
    };
    const fd = await own.add('log', counting, { reopen: true }, fresh);
    rmSync(nested, { recursive: true });
    own.reopen();
    await eventually(() => tries === 3);
    expect(reported).toMatchObject([{ code: 'ENOENT' }]);
    mkdirSync(nested);
    await eventually(() => tries === 4);
    expect(leadsTo(fd, log)).toBe(true);
  });

  it('that are opened twice at once end with the newest, and leave nothing open', async () => {
    const answers: ((fd: number) => void)[] = [];
    const later = () => new Promise<number>((resolve) => answers.push(resolve));
    const adding = own.add('log', later, { reopen: true }, fresh);
    answers[0]?.(open());
    const fd = await adding;
    own.reopen();
    own.reopen();
    await eventually(() => answers.length === 2);
    answers[1]?.(open());
    await eventually(() => answers.length === 3);
    renameSync(log, `${log}.1`);
    answers[2]?.(open());
    await eventually(() => leadsTo(fd, log));
    expect(descriptors.opened()).toHaveLength(1);
  });

  it('whose opener returns the very same number are left as they are', async () => {
    const opened = open();
    const fd = await own.add('log', () => opened, { reopen: true }, fresh);
    own.reopen();
    await new Promise((resolve) => setImmediate(resolve));
    expect(leadsTo(fd, log)).toBe(true);
  });

  it('that were closed meanwhile are not opened again', async () => {
    const answers: ((fd: number) => void)[] = [];
    let calls = 0;
    const fd = await own.add(
      'log',
      () => (calls++ === 0 ? open() : new Promise<number>((resolve) => answers.push(resolve))),
      { reopen: true },
      fresh,
    );
    own.reopen();
    await eventually(() => answers.length === 1);
    own.close();
    answers[0]?.(open());
    await eventually(() => descriptors.opened().length === 0);
    own.reopen();
    expect(calls).toBe(2);
    expect(fd).toBeGreaterThan(2);
  });

  it('nothing is opened in a rehearsal, and no standard stream led anywhere', async () => {
    const before = readlinkSync('/proc/self/fd/1');
    const fd = await own.add(
      'log',
      () => Promise.reject(new Error('called')),
      { reopen: true, stdio: true },
      { inherited: null, rehearsed: true },
    );
    own.reopen();
    expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe('/dev/null');
    expect(readlinkSync('/proc/self/fd/1')).toBe(before);
    expect(reported).toEqual([]);
  });
});
