import { existsSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { getNonBlocking, setNonBlocking } from '../../../../lib/fd/descriptor.ts';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { bindUdp } from '../../../../lib/fd/socket.ts';
import { BoundSocket, bindPath, boundAddress, fileOf } from '../../../../lib/servers/binding/bound-socket.ts';
import type { NamedDescriptor } from '../../../../lib/transaction/manifest.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
});
afterEach(async () => {
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

class Bound extends BoundSocket {
  get named(): NamedDescriptor {
    return { name: this.name, fd: this.fd };
  }
}

it('lends copies, and keeps what was not taken', () => {
  const socket = new Bound('it', new OwnedFd(bindUdp('127.0.0.1', 0)), false, null);
  const taken: OwnedFd[] = [];
  socket.lend((fd) => taken.push(new OwnedFd(fd)));
  expect(taken[0]?.fd).not.toBe(socket.fd);
  expect(boundAddress(taken[0]?.fd as number)).toEqual(socket.address);
  const before = descriptors.opened();
  const refuse = () => {
    throw new Error('not now');
  };
  expect(() => socket.lend(refuse)).toThrow('not now');
  expect(descriptors.opened()).toEqual(before);
  taken[0]?.close();
  socket.close();
  expect(socket.closed).toBe(true);
});

it('is made non-blocking again, for all who share it', () => {
  const socket = new Bound('it', new OwnedFd(bindUdp('127.0.0.1', 0)), false, null);
  setNonBlocking(socket.fd, false);
  socket.reassert();
  expect(getNonBlocking(socket.fd)).toBe(true);
  socket.remove();
});

it.each([{ type: 'datagram' as const }, { backlog: 1 }])(
  'its path (%j) stays when it is closed, and is nobody else’s while it is open',
  async (options) => {
    const path = folder.file('it.sock');
    const first = new Bound('it', await bindPath(path, options), false, fileOf({ path }));
    expect(first.address).toEqual({ path });
    await expect(bindPath(path, options)).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ALREADY_OWNED',
      message: expect.stringContaining(path),
    });
    first.close();
    first.remove();
    expect(existsSync(path)).toBe(true);
    const second = new Bound('it', await bindPath(path, options), false, fileOf({ path }));
    second.remove();
    expect(existsSync(path)).toBe(false);
  },
);

it("a file that was replaced is not the socket's own: it does not lead there, and is not removed", async () => {
  const path = folder.file('it.sock');
  const socket = new Bound('it', await bindPath(path, { backlog: 1 }), false, fileOf({ path }));
  expect(socket.isReachable).toBe(true);
  rmSync(path);
  expect(socket.isReachable).toBe(false);
  const other = new Bound('other', await bindPath(path, { backlog: 1 }), false, fileOf({ path }));
  expect([socket.isReachable, other.isReachable]).toEqual([false, true]);
  socket.remove();
  expect(existsSync(path)).toBe(true);
  other.remove();
  expect(existsSync(path)).toBe(false);
});
