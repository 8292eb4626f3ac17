import { unlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { bindTcp, bindUdp, bindUnix, listen } from '../../../lib/fd/socket.ts';
import type { PassedDescriptor } from '../../../lib/systemd/listen-fds.ts';
import { PassedInheritance } from '../../../lib/systemd/passed-inheritance.ts';
import { describeForManifest, type Inherited } from '../../../lib/transaction/manifest.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let passed: PassedInheritance | null;
let owned: OwnedFd[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  passed = null;
  owned = [];
});

afterEach(async () => {
  passed?.[Symbol.dispose]();
  for (const descriptor of owned) descriptor.close();
  await descriptors[Symbol.asyncDispose]();
});

function listener(): OwnedFd {
  const descriptor = new OwnedFd(bindTcp('127.0.0.1', 0));
  listen(descriptor.fd);
  owned.push(descriptor);
  return descriptor;
}

function make(given: PassedDescriptor[], besides: Inherited[] = []): PassedInheritance {
  passed = new PassedInheritance(given, '/app.service', besides);
  return passed;
}

function offered(name: string, descriptor: OwnedFd): Inherited {
  return { entry: describeForManifest({ name, fd: descriptor.fd }), descriptor };
}

describe('what was passed', () => {
  it('is described like what a predecessor offers, with its keeper', () => {
    const datagram = new OwnedFd(bindUdp('127.0.0.1', 0));
    make([
      { name: 'web', descriptor: listener() },
      { name: 'syslog', descriptor: datagram },
    ]);
    expect(passed).toMatchObject({ generation: 0, predecessor: null });
    expect(passed?.unclaimed).toMatchObject([
      { name: 'web', kind: 'listener', address: '127.0.0.1', keeper: { service: '/app.service', name: 'web' } },
      { name: 'syslog', kind: 'datagram', keeper: { service: '/app.service', name: 'syslog' } },
    ]);
  });

  it('has no keeper where whoever has passed it leaves', () => {
    make([{ name: 'web', descriptor: listener(), kept: false }]);
    expect(passed?.unclaimed).toEqual([expect.not.objectContaining({ keeper: expect.anything() })]);
  });

  it('can be taken once, and what nobody takes is closed', () => {
    const [web, admin] = [listener(), listener()];
    make([
      { name: 'web', descriptor: web },
      { name: 'admin', descriptor: admin },
    ]);
    expect(passed?.take('web')?.descriptor).toBe(web);
    expect(passed?.take('web')).toBeNull();
    passed?.[Symbol.dispose]();
    expect([web.closed, admin.closed]).toEqual([false, true]);
  });

  it('may have one name for several, and no name that is reserved here', () => {
    make(['app', 'app', 'app#2', '@control', ''].map((name) => ({ name, descriptor: listener() })));
    expect(passed?.unclaimed.map(({ name, keeper }) => [name, keeper])).toEqual([
      ['app', { service: '/app.service', name: 'app' }],
      ['app#2', { service: '/app.service', name: 'app' }],
      ['app#2#2', { service: '/app.service', name: 'app#2' }],
      ['@control#2', { service: '/app.service', name: '@control' }],
      ['unknown', { service: '/app.service', name: '' }],
    ]);
  });

  it('is taken once where it comes twice: from a socket unit, and from the store', () => {
    const web = listener();
    const copy = web.dup();
    make([
      { name: 'unit', descriptor: web },
      { name: 'stored', descriptor: copy },
    ]);
    expect(copy.closed).toBe(true);
    expect(passed?.unclaimed).toMatchObject([{ name: 'unit', keeper: { name: 'unit' } }]);
  });
});

describe('a Unix socket', () => {
  it('is served on as long as it has its file', () => {
    using folder = new TemporaryFolder();
    const path = folder.file('web.sock');
    const socket = new OwnedFd(bindUnix(path));
    listen(socket.fd);
    owned.push(socket);
    expect(make([{ name: 'web', descriptor: socket.dup() }]).unclaimed).toMatchObject([{ kind: 'listener', path }]);
    passed?.[Symbol.dispose]();
    unlinkSync(path);
    // Nobody takes it for a listener, and what nobody takes is let go of.
    expect(make([{ name: 'web', descriptor: socket.dup() }]).unclaimed).toMatchObject([
      { kind: 'unreachable socket', keeper: { name: 'web' } },
    ]);
  });
});

describe('beside a predecessor', () => {
  it('the same socket is closed here, and its keeper noted there', () => {
    const theirs = listener();
    const ours = theirs.dup();
    const inherited = offered('web', theirs);
    make([{ name: 'app.socket', descriptor: ours }], [inherited]);
    expect(ours.closed).toBe(true);
    expect(passed?.unclaimed).toEqual([]);
    expect(inherited.entry.keeper).toEqual({ service: '/app.service', name: 'app.socket' });
  });

  it('what the predecessor knows of its own service stays', () => {
    const theirs = listener();
    const inherited = offered('web', theirs);
    inherited.entry.keeper = { service: '/app.service', name: 'stored as this' };
    make([{ name: 'app.socket', descriptor: theirs.dup() }], [inherited]);
    expect(inherited.entry.keeper).toEqual({ service: '/app.service', name: 'stored as this' });
  });

  it('another socket of the same name gets another', () => {
    make([{ name: 'web', descriptor: listener() }], [offered('web', listener())]);
    expect(passed?.unclaimed).toMatchObject([{ name: 'web#2' }]);
  });
});
