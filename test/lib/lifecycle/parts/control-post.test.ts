import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describe as describeDescriptor } from '../../../../lib/fd/describe.ts';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { bindUnix, listen } from '../../../../lib/fd/socket.ts';
import { ControlPost } from '../../../../lib/lifecycle/parts/control-post.ts';
import { controlName, describeForManifest, type Inherited } from '../../../../lib/transaction/manifest.ts';
import type { Reception } from '../../../../lib/transaction/reception.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let folder: TemporaryFolder;
let opened: OwnedFd[];
let reception: Reception;

beforeEach(() => {
  folder = new TemporaryFolder();
  opened = [];
  reception = { open: async (listener: OwnedFd) => void opened.push(listener), close: () => {} } as never;
});

afterEach(() => folder[Symbol.dispose]());

function listenerAt(path: string): OwnedFd {
  const listener = new OwnedFd(bindUnix(path), 'the control listener of a test');
  listen(listener.fd, 8);
  return listener;
}

/** As it comes from a predecessor. */
function inheritedAt(path: string, notes: object = {}): Inherited {
  const descriptor = listenerAt(path);
  return { descriptor, entry: { ...describeForManifest({ name: controlName, fd: descriptor.fd }), ...notes } };
}

function pathOf(fd: number): string | undefined {
  const description = describeDescriptor(fd);
  return description.kind === 'socket' ? description.path : undefined;
}

it('without a listener nothing is held, opened, left or closed', async () => {
  const post = new ControlPost(folder.file('control'), null, reception);
  expect({ is: post.is, named: post.named }).toEqual({ is: 'none', named: [] });
  await post.open();
  post.leave();
  post.close('remove');
  expect({ is: post.is, opened }).toEqual({ is: 'none', opened: [] });
});

it('without a path and a listener nobody is asked whether another process answers', async () => {
  expect(await new ControlPost(null, null, reception).answeredAt()).toBeNull();
});

it('nobody answers on a path where nobody listens', async () => {
  expect(await new ControlPost(folder.file('control'), null, reception).answeredAt()).toBeNull();
});

it('an inherited listener stays where it is the path of this version, and goes with its file', async () => {
  const path = folder.file('control');
  const inherited = inheritedAt(path);
  const listener = inherited.descriptor;
  const post = new ControlPost(path, null, reception);
  post.inherit(inherited);
  await post.open();
  expect({ is: post.is, opened }).toEqual({ is: 'open', opened: [listener] });
  post.leave();
  expect({ is: post.is, named: post.named }).toMatchObject({ is: 'held', named: [{ fd: listener.fd }] });
  post.close('remove');
  expect({ is: post.is, file: existsSync(path) }).toEqual({ is: 'none', file: false });
});

it('another path in this version: a listener there takes its place, and the old file goes', async () => {
  const [before, path] = [folder.file('before'), folder.file('after')];
  const post = new ControlPost(path, null, reception);
  post.inherit(inheritedAt(before));
  await post.open();
  expect(opened.map(({ fd }) => pathOf(fd))).toEqual([path]);
  expect([existsSync(before), existsSync(path)]).toEqual([false, true]);
  post.close('close');
  expect(existsSync(path)).toBe(true);
});

it('a file that somebody has removed is made again', async () => {
  const path = folder.file('control');
  const listener = listenerAt(path);
  const post = new ControlPost(path, listener, reception);
  folder[Symbol.dispose]();
  folder = new TemporaryFolder();
  await expect(post.open()).rejects.toMatchObject({ code: 'ENOENT' });
  post.close('close');
});

it('a file that another process has put there is left alone, be it a socket that lives or no socket; a dead one is none', async () => {
  const path = folder.file('control');
  const post = new ControlPost(path, listenerAt(path), reception);
  const [mine] = post.named;
  expect(mine?.notes).toMatchObject({ file: expect.stringMatching(/^\d+:\d+$/) });
  rmSync(path);
  const other = listenerAt(path);
  await expect(post.open()).rejects.toMatchObject({ code: 'ERR_HANDOFF_ALREADY_OWNED' });
  post.close('remove');
  expect(existsSync(path)).toBe(true);
  other.close();
  rmSync(path);
  const next = new ControlPost(path, null, reception);
  next.inherit(inheritedAt(path));
  rmSync(path);
  writeFileSync(path, 'a note');
  await expect(next.open()).rejects.toThrow(/not a socket/);
  next.leave();
  rmSync(path);
  listenerAt(path).close();
  await next.open();
  expect(next.is).toBe('open');
  next.close('remove');
  expect(existsSync(path)).toBe(false);
});
