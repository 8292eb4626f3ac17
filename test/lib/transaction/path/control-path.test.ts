import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, lstatSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Deadline } from '../../../../lib/channel/deadline.ts';
import { getCloseOnExec } from '../../../../lib/fd/descriptor.ts';
import { tryLock } from '../../../../lib/fd/lock.ts';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { accept, bindUnix, connectUnix, listen } from '../../../../lib/fd/socket.ts';
import { claimUnixPath, connectTo, unlinkWhileHeld } from '../../../../lib/transaction/path/control-path.ts';
import { never } from '../../../support/never.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let path: string;
let owned: OwnedFd[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  path = folder.file('control.sock');
  owned = [];
});

afterEach(async () => {
  for (const descriptor of owned) descriptor.close();
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

function own<Descriptor extends OwnedFd | null>(descriptor: Descriptor): Descriptor {
  if (descriptor !== null) owned.push(descriptor);
  return descriptor;
}

async function claim(where = path, backlog = 8): Promise<OwnedFd | null> {
  return own(await claimUnixPath(where, { mode: 0o600, backlog }, never));
}

async function connect(where = path): Promise<OwnedFd | null> {
  return own(await connectTo(where, never));
}

/** Leaves the socket file of a listener that has died. */
function leaveStale(): void {
  const listener = new OwnedFd(bindUnix(path), 'a dead listener');
  listen(listener.fd, 1);
  listener.close();
}

describe('claiming a path', () => {
  it('listens there, for this user alone, and closes on exec', async () => {
    const listener = (await claim()) as OwnedFd;
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(getCloseOnExec(listener.fd)).toBe(true);
    expect(await connect()).not.toBeNull();
  });

  it('is null where somebody listens, and leaves that one listening', async () => {
    const owner = (await claim()) as OwnedFd;
    const { ino } = lstatSync(path);
    expect(await claim()).toBeNull();
    expect(lstatSync(path).ino).toBe(ino);
    expect(await connect()).not.toBeNull();
    // The look whether anybody is there has come as a visitor, too.
    expect(own(new OwnedFd(accept(owner.fd) as number, 'a visitor'))).toBeDefined();
  });

  it('takes abstract names', async () => {
    const name = `@fd-handoff-test-${process.pid}-${Math.random()}`;
    const listener = await claim(name);
    expect(listener).not.toBeNull();
    expect(await claim(name)).toBeNull();
    expect(await connect(name)).not.toBeNull();
    listener?.close();
    expect(await connect(name)).toBeNull();
    expect(await claim(name)).not.toBeNull();
  });

  it('rejects with the system’s error where the folder is missing or the path too long', async () => {
    await expect(claim(folder.file('not/there'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(claim(folder.file('x'.repeat(120)))).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
  });

  it('waits while another start has the folder, no longer than its signal', async () => {
    const other = openSync(folder.path, 'r');
    expect(tryLock(other)).toBe(true);
    using deadline = Deadline.after(50, 'The folder was not unlocked');
    await expect(claimUnixPath(path, { backlog: 1 }, deadline.signal)).rejects.toMatchObject({
      code: 'ERR_HANDOFF_TIMEOUT',
    });
    expect(existsSync(path)).toBe(false);
    const waiting = claim();
    closeSync(other);
    expect(await waiting).not.toBeNull();
  });

  it('leaves the folder unlocked', async () => {
    await claim();
    await claim();
    const other = openSync(folder.path, 'r');
    expect(tryLock(other)).toBe(true);
    closeSync(other);
  });
});

describe('a stale socket file is removed, a live one never, another kind of file never', () => {
  it('stale: the file of a listener that died', async () => {
    leaveStale();
    expect(await connect()).toBeNull();
    expect(await claim()).not.toBeNull();
    expect(await connect()).not.toBeNull();
  });

  it('stale: the file of a process that was killed', async () => {
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    await once(child.stdout, 'data');
    expect(await claim()).toBeNull();
    child.kill('SIGKILL');
    await exited;
    expect(await claim()).not.toBeNull();
  });

  it('live, although its backlog is full', async () => {
    const listener = own(new OwnedFd(bindUnix(path), 'a busy listener'));
    listen(listener.fd, 0);
    for (;;) {
      try {
        own(new OwnedFd(connectUnix(path), 'one of a crowd'));
      } catch (error) {
        expect(error).toMatchObject({ code: 'EAGAIN' });
        break;
      }
    }
    const { ino } = lstatSync(path);
    expect(await claim()).toBeNull();
    expect(lstatSync(path).ino).toBe(ino);
  });

  it.each<[string, (path: string) => void]>([
    ['a file', (at) => writeFileSync(at, 'precious')],
    ['a folder', (at) => mkdirSync(at)],
    ['a pipe', (at) => execFileSync('mkfifo', [at])],
    ['a symbolic link to nothing', (at) => symlinkSync('/nowhere', at)],
  ])('another kind: %s', async (_, make) => {
    make(path);
    const before = lstatSync(path).ino;
    await expect(claim()).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ALREADY_OWNED',
      message: expect.stringContaining(path),
    });
    expect(lstatSync(path).ino).toBe(before);
  });

  it.each([
    ['a datagram socket, for a listener', 'datagram', { backlog: 1 }],
    ['a listener, for a datagram socket', 'stream', { type: 'datagram' as const }],
    ['a datagram socket, for another', 'datagram', { type: 'datagram' as const }],
  ] as const)('of the other type or of the same: %s', async (_, type, options) => {
    const other = own(new OwnedFd(bindUnix(path, { type }), 'somebody’s socket'));
    if (type === 'stream') listen(other.fd, 1);
    const { ino } = lstatSync(path);
    expect(await claimUnixPath(path, options, never)).toBeNull();
    expect(lstatSync(path).ino).toBe(ino);
    other.close();
    const claimed = await claimUnixPath(path, options, never);
    expect(own(claimed as OwnedFd).closed).toBe(false);
  });
});

describe('two starts at once on one path: exactly one wins', () => {
  it.each([
    ['nothing', () => {}],
    ['a stale file', leaveStale],
  ])('in one process, over %s', async (_, prepare) => {
    for (let round = 0; round < 20; round++) {
      prepare();
      const claims = await Promise.all(Array.from({ length: 8 }, () => claim()));
      const winners = claims.filter((descriptor) => descriptor !== null);
      expect(winners.length).toBe(1);
      expect(await connect()).not.toBeNull();
      unlinkWhileHeld(path, winners[0] as OwnedFd);
      winners[0]?.close();
    }
  });

  it('in processes of their own, over a stale file', async () => {
    leaveStale();
    const module = fileURLToPath(new URL('../../../../lib/transaction/path/control-path.ts', import.meta.url));
    const script = `
      import { claimUnixPath } from ${JSON.stringify(module)};
      process.stdin.once('data', async () => {
        // Where it stays: what is collected as garbage is closed, and then the next one wins as well.
        globalThis.listener = await claimUnixPath(${JSON.stringify(path)}, { backlog: 1 }, new AbortController().signal);
        process.stdout.write(globalThis.listener === null ? 'lost' : 'won');
        process.stdin.once('data', () => process.exit());
      });
      process.stdout.write('up');
    `;
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    );
    const exits = children.map((child) => once(child, 'exit'));
    const next = () => Promise.all(children.map(async (child) => String((await once(child.stdout, 'data'))[0])));
    expect(await next()).toEqual(['up', 'up', 'up', 'up']);
    const results = next();
    for (const child of children) child.stdin.write('go');
    expect((await results).sort()).toEqual(['lost', 'lost', 'lost', 'won']);
    for (const child of children) child.stdin.write('done');
    await Promise.all(exits);
  });
});

describe('connecting', () => {
  it('is null where nobody is: no file, a stale file', async () => {
    expect(await connect()).toBeNull();
    leaveStale();
    expect(await connect()).toBeNull();
    expect(existsSync(path)).toBe(true);
  });

  it('rejects where the path is another kind of file', async () => {
    writeFileSync(path, '');
    // The kernel says the same of a file as of a socket that nobody listens on: claiming tells them apart.
    expect(await connect()).toBeNull();
    await expect(connect(`${path}/below`)).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it('waits while the backlog is full, and no longer than its signal', async () => {
    const listener = (await claim(path, 0)) as OwnedFd;
    own(new OwnedFd(connectUnix(path), 'the first'));
    using deadline = Deadline.after(50, 'Nobody accepted');
    await expect(connectTo(path, deadline.signal)).rejects.toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
    const waiting = connect();
    own(new OwnedFd(accept(listener.fd) as number, 'the first, accepted'));
    expect(await waiting).not.toBeNull();
  });
});

describe('unlinking', () => {
  it('is done only while the listener is held: the file may be another’s by then', async () => {
    const listener = (await claim()) as OwnedFd;
    listener.close();
    unlinkWhileHeld(path, listener);
    expect(existsSync(path)).toBe(true);
  });

  it('removes the file, and does not mind that somebody has', async () => {
    const listener = (await claim()) as OwnedFd;
    unlinkWhileHeld(path, listener);
    expect(existsSync(path)).toBe(false);
    unlinkWhileHeld(path, listener);
    unlinkWhileHeld('@abstract', listener);
  });
});
