import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Json } from '../../../lib/channel/frame.ts';
import { pipe } from '../../../lib/fd/descriptor.ts';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { bindTcp, bindUdp, bindUnix, listen, socketPair } from '../../../lib/fd/socket.ts';
import {
  describeForManifest,
  isManifestEntry,
  type ManifestEntry,
  verifyDescriptor,
} from '../../../lib/transaction/manifest.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let owned: OwnedFd[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  owned = [];
});

afterEach(async () => {
  for (const descriptor of owned) descriptor.close();
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

function own(...fds: number[]): OwnedFd {
  const mine = fds.map((fd) => new OwnedFd(fd, 'of a test'));
  owned.push(...mine);
  return mine[0] as OwnedFd;
}

function tcpListener(address = '127.0.0.1'): OwnedFd {
  const descriptor = own(bindTcp(address, 0));
  listen(descriptor.fd, 1);
  return descriptor;
}

function entryFor(descriptor: OwnedFd): ManifestEntry {
  return describeForManifest({ name: 'it', fd: descriptor.fd });
}

describe('the line for a descriptor', () => {
  it('a TCP listener: its address and port', () => {
    expect(entryFor(tcpListener())).toEqual({
      name: 'it',
      kind: 'listener',
      family: 'ipv4',
      type: 'stream',
      address: '127.0.0.1',
      port: expect.any(Number),
    });
  });

  it('a Unix listener: its path', () => {
    const path = folder.file('it.sock');
    const descriptor = own(bindUnix(path));
    listen(descriptor.fd, 1);
    expect(entryFor(descriptor)).toEqual({ name: 'it', kind: 'listener', family: 'unix', type: 'stream', path });
  });

  it('a datagram socket, a bound socket that does not listen, a pipe', () => {
    expect(entryFor(own(bindUdp('127.0.0.1', 0)))).toMatchObject({ kind: 'datagram', type: 'datagram' });
    expect(entryFor(own(bindTcp('127.0.0.1', 0)))).toMatchObject({ kind: 'socket', port: expect.any(Number) });
    expect(entryFor(own(...socketPair()))).toEqual({ name: 'it', kind: 'socket', family: 'unix', type: 'stream' });
    expect(entryFor(own(...pipe()))).toEqual({ name: 'it', kind: 'pipe' });
  });

  it('the notes of the owner travel, and overrule nothing', () => {
    const { fd } = tcpListener();
    const entry = describeForManifest({ name: 'it', fd, notes: { backlog: 77, name: 'liar', kind: 'pipe', port: 1 } });
    expect(entry).toMatchObject({ name: 'it', kind: 'listener', backlog: 77 });
    expect(entry.port).not.toBe(1);
  });

  it('is not written for what is not open', () => {
    expect(() => describeForManifest({ name: 'it', fd: 2 ** 20 - 1 })).toThrow(
      expect.objectContaining({ code: 'EBADF' }),
    );
  });
});

describe('verification', () => {
  it('accepts each kind as it is', () => {
    const path = folder.file('it.sock');
    const unix = own(bindUnix(path));
    listen(unix.fd, 1);
    for (const descriptor of [tcpListener(), tcpListener('::1'), unix, own(...pipe()), own(bindUdp('127.0.0.1', 0))]) {
      verifyDescriptor(entryFor(descriptor), descriptor);
    }
  });

  it('ignores what a later version adds', () => {
    const descriptor = tcpListener();
    verifyDescriptor({ ...entryFor(descriptor), colour: 'blue' }, descriptor);
  });

  it.each([
    ['kind', 'pipe'],
    ['family', 'ipv6'],
    ['type', 'datagram'],
    ['address', '0.0.0.0'],
    ['address', null],
    ['port', 1],
    ['port', '80'],
    ['path', '/somewhere'],
    ['kind', 'socket'],
  ])('refuses a listener whose %s is not %s', (fact, claimed) => {
    const descriptor = tcpListener();
    expect(() => verifyDescriptor({ ...entryFor(descriptor), [fact]: claimed }, descriptor)).toThrow(
      expect.objectContaining({
        code: 'ERR_HANDOFF_DESCRIPTOR_MISMATCH',
        message: expect.stringContaining(`${fact} is`),
      }),
    );
  });

  it('refuses a socket that is bound as it should be and does not listen', () => {
    const listener = tcpListener();
    const entry = entryFor(listener);
    const port = entry.port as number;
    listener.close();
    const bound = own(bindTcp('127.0.0.1', port));
    expect(() => verifyDescriptor(entry, bound)).toThrow('kind is socket, not listener');
  });

  it('names the descriptor and every difference', () => {
    const descriptor = own(...pipe());
    const entry = { name: 'web', kind: 'listener', family: 'ipv4', port: 80 };
    expect(() => verifyDescriptor(entry, descriptor)).toThrow(
      'The descriptor that arrived as "web" is not what the manifest says: kind is pipe, not listener; family is none, not ipv4; port is none, not 80.',
    );
  });
});

it('entries are told from anything else', () => {
  expect(isManifestEntry({ name: 'a', kind: 'pipe' })).toBe(true);
  for (const wrong of [null, 'a', [], {}, { name: 'a' }, { kind: 'pipe' }, { name: 1, kind: 'pipe' }]) {
    expect(isManifestEntry(wrong as Json)).toBe(false);
  }
});
