import { once } from 'node:events';
import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeFrame } from '../../../../lib/channel/frame.ts';
import { describe as describeDescriptor } from '../../../../lib/fd/describe.ts';
import { tryLock } from '../../../../lib/fd/lock.ts';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { bindUnix, listen } from '../../../../lib/fd/socket.ts';
import { ControlPost } from '../../../../lib/lifecycle/parts/control-post.ts';
import { descriptorOf } from '../../../../lib/servers/index.ts';
import { helloPayload } from '../../../../lib/transaction/hello.ts';
import { controlName, describeForManifest, type Inherited } from '../../../../lib/transaction/manifest.ts';
import { Reception } from '../../../../lib/transaction/reception.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

/** Somebody who asks on a control path what its process is doing. */
class Guest implements Disposable {
  readonly answered: Promise<unknown>;
  isAnswered = false;
  readonly #socket: net.Socket;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    this.answered = once(socket, 'data').then(() => {
      this.isAnswered = true;
    });
  }

  static async at(path: string): Promise<Guest> {
    const socket = net.connect(path);
    await once(socket, 'connect');
    socket.write(encodeFrame('HELLO', helloPayload('status', null)));
    return new Guest(socket);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

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

describe('a stop while it opens', () => {
  let welcomes: Reception;

  function welcoming(): Reception {
    return new Reception({
      descriptorOf,
      authorize: () => true,
      onVisitor: ({ control }) => {
        control.send('STATUS', {});
        void control.end();
      },
      onRefusal: () => {},
    });
  }

  beforeEach(() => {
    welcomes = welcoming();
  });

  afterEach(() => welcomes.close());

  it('leaves nobody there, whichever step it falls into, until it is opened again', async () => {
    const turns = Array.from({ length: 12 }, (_, index) => index);
    await Promise.all(turns.map((count) => stopAfter(count)));
  });

  /** @param turns how many turns of promises there are before the stop: it falls into each step in turn, and comes after */
  async function stopAfter(turns: number): Promise<void> {
    const path = folder.file(`control-${turns}`);
    const own = welcoming();
    const post = new ControlPost(path, listenerAt(path), own);
    const opening = post.open();
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    post.leave();
    expect(post.is).toBe('held');
    await opening;
    expect(post.is).toBe('held');
    // It waits in the queue of the listener.
    using visitor = await Guest.at(path);
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
    expect(visitor.isAnswered).toBe(false);
    await post.open();
    expect(post.is).toBe('open');
    await visitor.answered;
    post.close('remove');
  }

  it('leaves nothing of a path that was still being claimed, and holds what it had', async () => {
    const [before, path] = [folder.file('before'), folder.file('after')];
    const post = new ControlPost(path, null, welcomes);
    post.inherit(inheritedAt(before));
    const [held] = post.named;
    const opening = whileLocked(() => post.open());
    post.leave();
    expect({ is: post.is, named: post.named }).toEqual({ is: 'held', named: [held] });
    await opening;
    expect({ is: post.is, named: post.named }).toEqual({ is: 'held', named: [held] });
    expect([existsSync(before), existsSync(path)]).toEqual([true, false]);
    post.close('remove');
  });

  it('is taken back by another opening, which waits for the first', async () => {
    const [before, path] = [folder.file('before'), folder.file('after')];
    const post = new ControlPost(path, null, welcomes);
    post.inherit(inheritedAt(before));
    const opening = whileLocked(() => post.open());
    post.leave();
    await Promise.all([opening, post.open(), post.open()]);
    expect(post.is).toBe('open');
    using visitor = await Guest.at(path);
    await visitor.answered;
    post.close('remove');
    expect([existsSync(before), existsSync(path)]).toEqual([false, false]);
  });

  it('lets go of everything where it was closed', async () => {
    const [before, path] = [folder.file('before'), folder.file('after')];
    const post = new ControlPost(path, null, welcomes);
    post.inherit(inheritedAt(before));
    const opening = whileLocked(() => post.open());
    post.close('close');
    await opening;
    expect({ is: post.is, named: post.named, after: existsSync(path) }).toEqual({
      is: 'none',
      named: [],
      after: false,
    });
    await post.open();
    expect(post.is).toBe('none');
  });

  it('an opening that fails can be tried again, and is over for whoever waits', async () => {
    const path = folder.file('control');
    const post = new ControlPost(path, listenerAt(path), welcomes);
    rmSync(path);
    writeFileSync(path, 'a note');
    const opening = post.open();
    await post.settled();
    expect(post.is).toBe('held');
    await expect(opening).rejects.toThrow(/not a socket/);
    rmSync(path);
    await post.open();
    expect(post.is).toBe('open');
    post.close('remove');
  });

  /** Begins it while somebody else binds in the folder, who is done as soon as it waits. */
  function whileLocked(begin: () => Promise<void>): Promise<void> {
    const locked = openSync(folder.path, 'r');
    tryLock(locked);
    const done = begin();
    setImmediate(() => closeSync(locked));
    return done;
  }
});
