import { existsSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ControlPost } from '../../lib/control-post.ts';
import { describe as describeDescriptor } from '../../lib/fd/describe.ts';
import { OwnedFd } from '../../lib/fd/owned-fd.ts';
import { bindUnix, listen } from '../../lib/fd/socket.ts';
import type { Reception } from '../../lib/handoff/reception.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';

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
  const listener = listenerAt(path);
  const post = new ControlPost(path, null, reception);
  post.inherit(listener);
  await post.open();
  expect({ is: post.is, opened }).toEqual({ is: 'open', opened: [listener] });
  post.leave();
  expect({ is: post.is, named: post.named }).toMatchObject({ is: 'held', named: [{ fd: listener.fd }] });
  post.close('remove');
  expect({ is: post.is, file: existsSync(path) }).toEqual({ is: 'none', file: false });
});

it('another path in this version: a listener there takes its place, and the old file goes', async () => {
  const [before, path] = [folder.file('before'), folder.file('after')];
  const post = new ControlPost(path, listenerAt(before), reception);
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
