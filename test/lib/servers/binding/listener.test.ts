import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describe as describeDescriptor, type SocketDescription } from '../../../../lib/fd/describe.ts';
import { getCloseOnExec, getNonBlocking, setNonBlocking } from '../../../../lib/fd/descriptor.ts';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import type { AddressOptions } from '../../../../lib/servers/binding/address.ts';
import { resolveAddress } from '../../../../lib/servers/binding/address.ts';
import { Listener, type ListenerOptions } from '../../../../lib/servers/binding/listener.ts';
import { reachOf } from '../../../../lib/servers/binding/reach.ts';
import { isPortShared } from '../../../../lib/servers/binding/shared-port.ts';
import { Served } from '../../../../lib/servers/serving/served.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { RawClient } from '../../../support/raw-client.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let listeners: Listener[];
let servers: net.Server[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  listeners = [];
  servers = [];
});

afterEach(async () => {
  for (const server of servers) server.close();
  for (const listener of listeners) listener.close();
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

async function bind(where: AddressOptions, options: Partial<ListenerOptions> = {}): Promise<Listener> {
  const listener = await Listener.bind('web', await resolveAddress(where), { ...defaults, ...options });
  listeners.push(listener);
  return listener;
}

/** The same listener in a successor. */
function adopt(listener: Listener, options: Partial<ListenerOptions> = {}): Listener {
  const adopted = Listener.adopt('web', OwnedFd.dup(listener.named.fd, 'inherited'), { ...defaults, ...options });
  listeners.push(adopted);
  return adopted;
}

async function attach(listener: Listener, server: net.Server = net.createServer()): Promise<net.Server> {
  servers.push(server);
  const listening = once(server, 'listening');
  listener.attach(server);
  await listening;
  return server;
}

async function stop(server: net.Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

/** What the kernel holds to be the backlog of the listener on that port. */
function backlogOf(port: number | undefined): number {
  const line = execFileSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' })
    .trim()
    .split(/\s+/);
  return Number(line[2]);
}

const defaults: ListenerOptions = { backlog: 511, ipv6Only: false, reusePort: false };
const local = { host: '127.0.0.1', port: 0 };

describe('a new listener', () => {
  it('is on a port of its own, and nobody else inherits it', async () => {
    const listener = await bind(local);
    expect(listener).toMatchObject({ inherited: false, address: { address: '127.0.0.1', port: expect.any(Number) } });
    expect(getCloseOnExec(listener.named.fd)).toBe(true);
    expect(getNonBlocking(listener.named.fd)).toBe(true);
  });

  it('lets whoever connects wait in the queue until somebody accepts', async () => {
    const listener = await bind(local);
    using client = await RawClient.connect(listener.address.port as number);
    client.send('early');
    await attach(
      listener,
      net.createServer((socket) => socket.resume().end('served')),
    );
    expect(await client.closed).toBe('served');
  });

  it('takes IPv4 and IPv6 where no host is given', async () => {
    const listener = await bind({ port: 0 });
    const server = await attach(
      listener,
      net.createServer((socket) => socket.resume().end('both')),
    );
    for (const host of ['127.0.0.1', '::1']) {
      const [text] = await once(net.connect(listener.address.port as number, host), 'data');
      expect(String(text)).toBe('both');
    }
    await stop(server);
  });

  it('leaves IPv4 alone where it is told to', async () => {
    const listener = await bind({ port: 0, host: '::' }, { ipv6Only: true });
    await expect(once(net.connect(listener.address.port as number, '127.0.0.1'), 'connect')).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });

  it('rejects with EADDRINUSE where the port is taken', async () => {
    const { address } = await bind(local);
    await expect(bind({ ...local, port: address.port as number })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('shares a port with its like where it is told to', async () => {
    const { address } = await bind(local, { reusePort: true });
    const other = await bind({ ...local, port: address.port as number }, { reusePort: true });
    expect(other.address.port).toBe(address.port);
  });
});

describe('a backlog of 77 stays 77: listen({fd}) would make it 511', () => {
  it('when it is bound, accepted on, and accepted on again', async () => {
    const listener = await bind(local, { backlog: 77 });
    const { port } = listener.address;
    expect(backlogOf(port)).toBe(77);
    const server = await attach(listener);
    expect(backlogOf(port)).toBe(77);
    await stop(server);
    await attach(listener, server);
    expect(backlogOf(port)).toBe(77);
  });

  it('when it is adopted, also for those who share it', async () => {
    const listener = await bind(local, { backlog: 77 });
    const adopted = adopt(listener, { backlog: 77 });
    expect(adopted.inherited).toBe(true);
    await attach(adopted, http.createServer());
    expect(backlogOf(listener.address.port)).toBe(77);
  });

  it('and travels in the manifest', async () => {
    expect((await bind(local, { backlog: 77 })).named.notes).toEqual({ backlog: 77 });
  });
});

describe('closing', () => {
  it('a server leaves the listener: whoever connects waits for the next one', async () => {
    const listener = await bind(local);
    await stop(await attach(listener));
    using client = await RawClient.connect(listener.address.port as number);
    await attach(
      listener,
      net.createServer((socket) => socket.resume().end('by the next one')),
    );
    expect(await client.closed).toBe('by the next one');
  });

  it('one of two copies ends nothing for the other: close(2), never shutdown(2)', async () => {
    const listener = await bind(local);
    const adopted = adopt(listener);
    const server = await attach(
      adopted,
      net.createServer((socket) => socket.resume().end('served')),
    );
    listener.close();
    expect(listener.closed).toBe(true);
    using client = await RawClient.connect(adopted.address.port as number);
    expect(await client.closed).toBe('served');
    await stop(server);
  });

  it('the last copy refuses whoever connects', async () => {
    const listener = await bind(local);
    listener.remove();
    await expect(RawClient.connect(listener.address.port as number)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('twice is once', async () => {
    const listener = await bind(local);
    listener.close();
    listener.close();
    listener.remove();
  });
});

describe('a Unix listener', () => {
  it('has a file with the mode asked for, and an address that server.address() tells', async () => {
    const path = folder.file('web.sock');
    const listener = await bind({ path }, { mode: 0o640 });
    expect(lstatSync(path).mode & 0o777).toBe(0o640);
    expect((await attach(listener)).address()).toBe(path);
  });

  it('closing an adopted Unix server does not unlink its path', async () => {
    const path = folder.file('web.sock');
    const listener = await bind({ path });
    const adopted = adopt(listener);
    await stop(await attach(adopted));
    await stop(await attach(listener));
    adopted.close();
    listener.close();
    expect(existsSync(path)).toBe(true);
  });

  it('a path that nobody inherits is removed, while it is certain whose it is', async () => {
    const path = folder.file('web.sock');
    const listener = await bind({ path });
    listener.remove();
    expect(existsSync(path)).toBe(false);
    const next = await bind({ path });
    // The first has nothing to do with the file any more.
    listener.remove();
    expect(existsSync(path)).toBe(true);
    expect(next.closed).toBe(false);
  });

  it('a path whose listener somebody else keeps is left: who comes by it waits for the next start', async () => {
    const path = folder.file('web.sock');
    const listener = await bind({ path });
    listener.keeper = { service: '/app.service', name: 'web' };
    listener.remove();
    expect(listener.closed).toBe(true);
    expect(existsSync(path)).toBe(true);
  });

  it('a live one of somebody else is an error that names it', async () => {
    const path = folder.file('web.sock');
    await bind({ path });
    await expect(bind({ path })).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ALREADY_OWNED',
      message: expect.stringContaining(path),
    });
  });

  it('abstract ones have no file', async () => {
    const path = `@fd-handoff-test-${process.pid}-${Math.random()}`;
    const listener = await bind({ path });
    expect((await attach(listener)).address()).toBe(path);
    listener.remove();
  });
});

describe('reassert', () => {
  it('a listener that a successor made blocking is non-blocking again', async () => {
    const listener = await bind(local);
    setNonBlocking(listener.named.fd, false);
    listener.reassert();
    expect(getNonBlocking(listener.named.fd)).toBe(true);
  });

  it('a listener to which a successor gave another backlog has its own again', async () => {
    const listener = await bind(local, { backlog: 77 });
    await stop(await attach(adopt(listener, { backlog: 200 })));
    expect(backlogOf(listener.address.port)).toBe(200);
    listener.reassert();
    expect(backlogOf(listener.address.port)).toBe(77);
  });

  it('one that does not listen yet is left so', async () => {
    const listener = await bind(local, { reusePort: true });
    listener.reassert();
    expect(describeDescriptor(listener.named.fd)).toMatchObject({ listening: false });
  });
});

describe('a listener beside others that serve the port', () => {
  it('listens from attach() on: until then the connections are theirs', async () => {
    const first = await bind(local);
    const port = first.address.port as number;
    await attach(
      first,
      net.createServer((socket) => socket.resume().end('first')),
    );
    const wide = await Listener.bind('wide', await resolveAddress({ port, host: '0.0.0.0' }), defaults, () => [
      first.named.fd,
    ]);
    listeners.push(wide);
    await expect(RawClient.connect(port, 'plain', '127.0.0.2')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await attach(
      wide,
      net.createServer((socket) => socket.resume().end('wide')),
    );
    for (const [host, expected] of [
      ['127.0.0.1', 'first'],
      ['127.0.0.2', 'wide'],
    ] as const) {
      expect(await (await RawClient.connect(port, 'plain', host)).closed).toBe(expected);
    }
    wide.claim();
    expect([first, wide].map(({ named }) => isPortShared(named.fd))).toEqual([false, false]);
  });

  it('is a member of a group in the same way', async () => {
    const { address } = await bind(local, { reusePort: true });
    await expect(RawClient.connect(address.port as number)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('claiming', () => {
  it('gives a socket file the mode of this version', async () => {
    const path = folder.file('web.sock');
    const listener = await bind({ path }, { mode: 0o640 });
    const adopted = adopt(listener, { mode: 0o606 });
    expect(lstatSync(path).mode & 0o777).toBe(0o640);
    adopted.claim();
    expect(lstatSync(path).mode & 0o777).toBe(0o606);
  });

  it('lets a port be shared from then on, and never ends a group', async () => {
    const listener = await bind(local);
    adopt(listener, { reusePort: true }).claim();
    expect(isPortShared(listener.named.fd)).toBe(true);
    adopt(listener).claim();
    expect(isPortShared(listener.named.fd)).toBe(true);
  });
});

describe('reopening what was let go of', () => {
  it('is at the same address, with the same options', async () => {
    const listener = await bind({ port: 0, host: '::' }, { ipv6Only: true, backlog: 77 });
    const { address, reach } = listener;
    await listener.reopen();
    listener.remove();
    await listener.reopen();
    await attach(listener);
    expect(backlogOf(address.port)).toBe(77);
    expect(reachOf(describeDescriptor(listener.named.fd) as SocketDescription)).toEqual(reach);
  });

  it('of a path, with its mode', async () => {
    const path = folder.file('web.sock');
    const listener = await bind({ path }, { mode: 0o640 });
    listener.remove();
    await listener.reopen();
    expect(lstatSync(path).mode & 0o777).toBe(0o640);
  });

  it('rejects where somebody else is there by now', async () => {
    const listener = await bind(local);
    listener.remove();
    await bind({ ...local, port: listener.address.port as number });
    await expect(listener.reopen()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(listener.closed).toBe(true);
  });
});

describe('two servers on one listener', () => {
  it('do not meet in the event loop: the same descriptor twice would be EEXIST', async () => {
    const listener = await bind(local);
    await attach(listener);
    await attach(listener);
  });

  it('a server that listens already is told so, and no descriptor leaks', async () => {
    const listener = await bind(local);
    const server = await attach(listener);
    expect(() => listener.attach(server)).toThrow(expect.objectContaining({ code: 'ERR_SERVER_ALREADY_LISTEN' }));
    const served = new Served(server, listener);
    await expect(served.accept()).rejects.toMatchObject({ code: 'ERR_SERVER_ALREADY_LISTEN' });
    expect(served.service).toBe('waiting');
  });
});
