import dgram from 'node:dgram';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { getCloseOnExec, getNonBlocking } from '../../../../lib/fd/descriptor.ts';
import { sendDatagram } from '../../../../lib/fd/message.ts';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { getReuse } from '../../../../lib/fd/reuse.ts';
import { bindUdp } from '../../../../lib/fd/socket.ts';
import { type DatagramAddress, resolveDatagramAddress } from '../../../../lib/servers/binding/address.ts';
import {
  boundBefore,
  DatagramListener,
  type DatagramListenerOptions,
  isBound,
} from '../../../../lib/servers/datagrams/datagram-listener.ts';
import { describeForManifest } from '../../../../lib/transaction/manifest.ts';
import { DatagramClient } from '../../../support/datagram-client.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let listeners: DatagramListener[];
let sockets: dgram.Socket[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  listeners = [];
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.close();
  for (const listener of listeners) listener.close();
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

async function bind(
  address: DatagramAddress,
  options: Partial<DatagramListenerOptions> = {},
): Promise<DatagramListener> {
  const whole = { mode: undefined, ipv6Only: false, reuseAddress: false, reusePort: false, ...options };
  const listener = await DatagramListener.bind('it', address, whole);
  listeners.push(listener);
  return listener;
}

/** As the successor has it: by a descriptor of its own for the same socket. */
function inherit(listener: DatagramListener): DatagramListener {
  const entry = describeForManifest(listener.named);
  const inherited = DatagramListener.adopt('it', { entry, descriptor: OwnedFd.dup(listener.fd, 'inherited') });
  listeners.push(inherited);
  return inherited;
}

function attach(listener: DatagramListener, type: 'udp4' | 'udp6' = 'udp4'): dgram.Socket {
  const socket = dgram.createSocket(type);
  sockets.push(socket);
  listener.attach(socket);
  return socket;
}

const local = () => resolveDatagramAddress({ port: 0, address: '127.0.0.1' }, 'udp4');

describe('a UDP socket', () => {
  it('is close-on-exec, non-blocking, and a datagram socket in the manifest', async () => {
    const listener = await bind(await local());
    expect(getCloseOnExec(listener.fd)).toBe(true);
    expect(getNonBlocking(listener.fd)).toBe(true);
    expect(describeForManifest(listener.named)).toMatchObject({
      name: 'it',
      kind: 'datagram',
      type: 'datagram',
      family: 'ipv4',
      address: '127.0.0.1',
      port: listener.address.port,
    });
  });

  it('keeps what came before anybody received', async () => {
    const listener = await bind(await local());
    await using client = await DatagramClient.open();
    await client.send('early', listener.address.port as number);
    const [message, sender] = await once(attach(inherit(listener)), 'message');
    expect(String(message)).toBe('early');
    expect(sender).toMatchObject({ address: '127.0.0.1', port: client.port, family: 'IPv4' });
  });

  it.each([
    [false, ['::1', '127.0.0.1']],
    [true, ['::1']],
  ])('over IPv6, with ipv6Only %s', async (ipv6Only, reached) => {
    const listener = await bind(await resolveDatagramAddress({ port: 0 }, 'udp6'), { ipv6Only });
    expect(describeForManifest(listener.named)).toMatchObject({ family: 'ipv6', address: '::', ipv6Only });
    const socket = attach(listener, 'udp6');
    for (const address of reached) {
      await using client = await DatagramClient.open(address === '::1' ? 'udp6' : 'udp4');
      const heard = once(socket, 'message');
      await client.send('hello', listener.address.port as number, address);
      expect(String((await heard)[0])).toBe('hello');
    }
  });

  it('is nobody else’s: the SO_REUSEADDR that Node’s bind({ fd }) sets is taken back', async () => {
    const listener = await bind(await local());
    attach(listener);
    attach(inherit(listener));
    expect(getReuse(listener.fd)).toEqual({ address: false, port: false });
    const thief = () => bindUdp('127.0.0.1', listener.address.port as number, { reuseAddress: true });
    expect(thief).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }));
  });

  it('is shared by address where the socket was made so', async () => {
    const listener = await bind(await local(), { reuseAddress: true });
    attach(listener);
    expect(getReuse(listener.fd).address).toBe(true);
    const other = bindUdp('127.0.0.1', listener.address.port as number, { reuseAddress: true });
    new OwnedFd(other, 'the other').close();
  });

  it('rejects with EADDRINUSE where the port is taken', async () => {
    const { address } = await bind(await local());
    const taken = { ...(await local()), port: address.port } as DatagramAddress;
    await expect(bind(taken)).rejects.toMatchObject({ code: 'EADDRINUSE', syscall: 'bind' });
  });

  it('that is connected stays so, and is found where it was bound', async () => {
    const listener = await bind(await resolveDatagramAddress({ port: 0 }, 'udp4'));
    expect(listener.peer).toBeNull();
    await using client = await DatagramClient.open();
    const { port } = client;
    const socket = attach(listener);
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');

    const inherited = inherit(listener);
    expect(describeForManifest(listener.named).address).toBe('127.0.0.1');
    expect(inherited.address).toEqual(listener.address);
    expect(inherited.address.address).toBe('0.0.0.0');
    expect(inherited.peer).toEqual({ address: '127.0.0.1', port });
    const next = attach(inherited);
    expect(next.remoteAddress()).toMatchObject({ address: '127.0.0.1', port });
    const heard = client.next();
    next.send('to the peer');
    expect(await heard).toBe('to the peer');
  });

  it('that the manifest says to be bound elsewhere is believed only in an address', () => {
    const entry = { name: 'it', kind: 'datagram', address: '127.0.0.1', port: 53 };
    expect(boundBefore(entry)).toEqual({ address: '127.0.0.1', port: 53 });
    expect(boundBefore({ ...entry, boundTo: 5 })).toEqual({ address: '127.0.0.1', port: 53 });
    expect(boundBefore({ ...entry, boundTo: '0.0.0.0' })).toEqual({ address: '0.0.0.0', port: 53 });
    expect(boundBefore({ name: 'it', kind: 'datagram', path: '/x', boundTo: '::' })).toEqual({ path: '/x' });
  });

  it('is not attached to a socket that has one, and nothing is leaked', async () => {
    await using client = await DatagramClient.open();
    const listener = await bind(await local());
    const before = descriptors.opened().length;
    expect(() => listener.attach(client.socket)).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_ALREADY_BOUND' }));
    expect(descriptors.opened().length).toBe(before);
  });
});

describe.each([
  ['a path', () => folder.file('it.sock')],
  ['an abstract name', () => `@fd-handoff-${process.pid}-${Math.random()}`],
])('a Unix datagram socket at %s', (kind, where) => {
  const at = async (path: string) => bind(await resolveDatagramAddress({ path }, 'udp4'), { mode: 0o620 });

  it('receives datagrams whole, empty ones too, and tells no sender', async () => {
    const path = where();
    const listener = await at(path);
    expect(listener.address).toEqual({ path });
    const texts = ['one', '', 'three'];
    for (const text of texts) sendDatagram(path, Buffer.from(text));
    const socket = attach(listener);
    const heard: string[] = [];
    const done = new Promise<void>((resolve) => {
      socket.on('message', (message, sender) => {
        heard.push(message.toString());
        expect(sender).toEqual({ address: '', size: message.length });
        if (heard.length === texts.length) resolve();
      });
    });
    await done;
    expect(heard).toEqual(texts);
    expect(socket.address()).toEqual({ address: '' });
  });

  it('cuts what is longer than 64 KiB, as libuv does', async () => {
    const path = where();
    const socket = attach(await at(path));
    sendDatagram(path, Buffer.alloc(65_537));
    expect((await once(socket, 'message'))[0].length).toBe(65_536);
  });

  it('goes over, is not unlinked by whoever closes it, and is nobody else’s meanwhile', async () => {
    const path = where();
    const listener = await at(path);
    if (kind === 'a path') expect(statSync(path).mode & 0o777).toBe(0o620);
    const inherited = inherit(listener);
    expect(inherited).toMatchObject({ inherited: true, address: { path } });
    const first = dgram.createSocket('udp4');
    listener.attach(first);
    const closed = once(first, 'close');
    first.close();
    await closed;
    listener.close();
    await expect(at(path)).rejects.toMatchObject({ code: 'ERR_HANDOFF_ALREADY_OWNED' });
    sendDatagram(path, Buffer.from('to the next'));
    const [message] = await once(attach(inherited), 'message');
    expect(String(message)).toBe('to the next');
    inherited.remove();
    expect(existsSync(path)).toBe(false);
  });

  it('refuses what Node can only do over IP, and a datagram with descriptors leaks none', async () => {
    const path = where();
    const socket = attach(await at(path));
    const failed = new Promise<Error | null>((resolve) => {
      socket.send('text', 53, '127.0.0.1', resolve);
    });
    expect(await failed).toMatchObject({ code: 'EINVAL' });
    expect(() => socket.addMembership('239.1.2.3', '127.0.0.1')).toThrow();
    sendDatagram(path, Buffer.from('with descriptors'), [0, 1, 2]);
    const before = descriptors.opened().length;
    expect(String((await once(socket, 'message'))[0])).toBe('with descriptors');
    expect(descriptors.opened().length).toBe(before);
  });
});

it('isBound: from bind() until close()', async () => {
  const socket = dgram.createSocket('udp4');
  expect(isBound(socket)).toBe(false);
  await once(socket.bind(0, '127.0.0.1'), 'listening');
  expect(isBound(socket)).toBe(true);
  socket.close();
  expect(isBound(socket)).toBe(false);
});
