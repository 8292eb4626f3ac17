import dgram from 'node:dgram';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describe as describeDescriptor } from '../../../../lib/fd/describe.ts';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { bindTcp, listen } from '../../../../lib/fd/socket.ts';
import { noBindHooks } from '../../../../lib/servers/binding/bind-hooks.ts';
import type { Dependant } from '../../../../lib/servers/draining/dependant.ts';
import { Estate, type EstateOptions } from '../../../../lib/servers/estate/estate.ts';
import type { Inheritance } from '../../../../lib/transaction/inheritance.ts';
import { describeForManifest } from '../../../../lib/transaction/manifest.ts';
import { DatagramClient } from '../../../support/datagram-client.ts';
import { drainOrder } from '../../../support/drain-order.ts';
import { eventually } from '../../../support/eventually.ts';
import { ReservedPort } from '../../../support/kernel-listeners.ts';
import { never } from '../../../support/never.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { Received } from '../../../support/received.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let estates: Estate[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  estates = [];
});
afterEach(async () => {
  for (const estate of estates) {
    estate.stopAccepting();
    estate.remove();
  }
  Received.closeAll();
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

function estateOf(inheritance: Inheritance | null = null, options: EstateOptions = {}): Estate {
  const estate = new Estate(inheritance, options);
  estates.push(estate);
  return estate;
}

const local = { host: '127.0.0.1', port: 0 };
const hello = () => http.createServer((_, response) => response.end('hello'));

async function ask(port: number | undefined): Promise<string> {
  const socket = net.connect(port as number, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}

describe('listening', () => {
  it('binds at once and accepts later', async () => {
    const estate = estateOf();
    const served = await estate.listen(hello(), local);
    expect(served.service).toBe('waiting');
    const answer = ask(served.place.address.port);
    await estate.accept();
    expect(await answer).toContain('hello');
  });

  it('tells what was inherited, as long as nobody has registered it', async () => {
    const first = estateOf();
    const { port } = (await first.listen(hello(), { ...local, name: 'web', backlog: 7 })).place.address;
    await first.descriptor('log', () => openSync(folder.file('log'), 'w'));
    const second = estateOf(new Received(first.descriptors));
    expect(second.inherited).toEqual([
      { name: 'web', kind: 'listener', address: '127.0.0.1', port, backlog: 7 },
      { name: 'log', kind: 'other' },
    ]);
    await second.hold({ name: 'web' });
    expect(second.inherited).toMatchObject([{ name: 'log' }]);
    expect(estateOf().inherited).toEqual([]);
  });

  it('is by name or by address the predecessor’s listener', async () => {
    const first = estateOf();
    await first.listen(hello(), { ...local, name: 'web' });
    const { port } = (await first.listen(hello(), { ...local, name: 'admin' })).place.address;
    const second = estateOf(new Received(first.descriptors));
    expect((await second.listen(hello(), { ...local, name: 'web' })).place).toMatchObject({
      inherited: true,
      address: first.served[0]?.place.address,
    });
    // This version calls it otherwise.
    const renamed = await second.listen(hello(), { host: '127.0.0.1', port: port as number, name: 'manage' });
    expect(renamed.place).toMatchObject({ inherited: true, name: 'manage', address: { port } });
  });

  it('never serves a wrong port: a listener of that name at another address is left alone', async () => {
    const first = estateOf();
    await first.listen(hello(), { ...local, name: 'web' });
    const free = new OwnedFd(bindTcp('127.0.0.1', 0), 'a free port');
    const { port } = describeForManifest({ name: 'free', fd: free.fd });
    free.close();
    const received = new Received(first.descriptors);
    const second = estateOf(received);
    const served = await second.listen(hello(), { host: '127.0.0.1', port: port as number, name: 'web' });
    expect(served.place).toMatchObject({ inherited: false, address: { port } });
    expect(received.unclaimed.map(({ name }) => name)).toEqual(['web']);
  });

  it('port 0 keeps the port of its name, and takes nobody else’s', async () => {
    const first = estateOf();
    await first.listen(hello(), { ...local, name: 'one' });
    const second = estateOf(new Received(first.descriptors));
    expect((await second.listen(hello(), { ...local, name: 'two' })).place.inherited).toBe(false);
    expect((await second.listen(hello(), { ...local, name: 'one' })).place.inherited).toBe(true);
  });

  it.each([
    ['a colon', 'a:b'],
    ['the reserved sign', '@ready'],
    ['no character', ''],
    ['256 characters', 'x'.repeat(256)],
    ['a newline', 'a\nb'],
    ['other letters', 'größe'],
  ])('refuses a name with %s', async (_, name) => {
    await expect(estateOf().listen(hello(), { ...local, name })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
  });

  it('refuses a name twice, also while the first is still being bound', async () => {
    const estate = estateOf();
    const both = await Promise.allSettled([estate.listen(hello(), local), estate.listen(hello(), local)]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(both[1]).toMatchObject({ reason: { code: 'ERR_HANDOFF_ALREADY_OWNED' } });
  });

  it('leaves the name free where binding failed', async () => {
    const estate = estateOf();
    const blocker = await estate.listen(hello(), { ...local, name: 'blocker' });
    const { port } = blocker.place.address as { port: number };
    const wanted = { host: '127.0.0.1', port, name: 'web' };
    await expect(estate.listen(hello(), wanted)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect((await estate.listen(hello(), { ...local, name: 'web' })).place.name).toBe('web');
  });
});

describe('datagram sockets', () => {
  const anyPort = { address: '127.0.0.1', port: 0 };

  /** A socket that keeps what it hears. */
  function listener(): { socket: dgram.Socket; heard: string[] } {
    const heard: string[] = [];
    const socket = dgram.createSocket('udp4', (message) => heard.push(message.toString()));
    return { socket, heard };
  }

  it('are bound at once, receive later, and go over by name or by address', async () => {
    await using client = await DatagramClient.open();
    const first = estateOf();
    const [metrics, log] = [listener(), listener()];
    const { port } = (await first.bind(metrics.socket, { ...anyPort, name: 'metrics' })).place.address;
    const { port: logPort } = (await first.bind(log.socket, { ...anyPort, name: 'log' })).place.address;
    await client.send('early', port as number);
    await first.accept();
    await eventually(() => metrics.heard.length === 1);

    const second = estateOf(new Received(first.descriptors));
    const [next, renamed] = [listener(), listener()];
    expect((await second.bind(next.socket, { ...anyPort, name: 'metrics' })).place).toMatchObject({
      inherited: true,
      address: { address: '127.0.0.1', port },
    });
    const byAddress = { address: '127.0.0.1', port: logPort as number };
    expect((await second.bind(renamed.socket, byAddress)).place).toMatchObject({ inherited: true });
    first.stopAccepting();
    await client.send('between', port as number);
    await second.accept();
    await eventually(() => next.heard.length === 1);
    expect([...metrics.heard, ...next.heard]).toEqual(['early', 'between']);

    // As at a give-back.
    second.stopAccepting();
    expect(await first.acceptAgain()).toEqual([]);
    await client.send('again', port as number);
    await eventually(() => metrics.heard.includes('again'));
  });

  it('never take a TCP port for their own, nor another port', async () => {
    const first = estateOf();
    const { port } = (await first.listen(hello(), { ...local, name: 'it' })).place.address as { port: number };
    const received = new Received(first.descriptors);
    const second = estateOf(received);
    const receiver = await second.bind(dgram.createSocket('udp4'), { address: '127.0.0.1', port, name: 'it' });
    expect(receiver.place).toMatchObject({ inherited: false, address: { port } });
    expect(received.unclaimed.map(({ name }) => name)).toEqual(['it']);
  });

  it('of nobody else are received until the end, when connections are not accepted any more', async () => {
    await using client = await DatagramClient.open();
    const estate = estateOf();
    const { socket, heard } = listener();
    const { port } = (await estate.bind(socket, anyPort)).place.address as { port: number };
    await estate.accept();
    estate.stopAccepting('connections');
    expect(estate.closeListeners('remove')).toEqual([]);
    await client.send('late', port);
    await eventually(() => heard.length === 1);
    const closed = once(socket, 'close');
    estate.close();
    await closed;
  });

  it('that the application closes are not handed over, and their name is free', async () => {
    const estate = estateOf();
    const socket = dgram.createSocket('udp4');
    await estate.bind(socket, { ...anyPort, name: 'it' });
    expect(estate.descriptors.map(({ name }) => name)).toEqual(['it']);
    socket.close();
    await once(socket, 'close');
    expect(estate.descriptors).toEqual([]);
    expect((await estate.bind(dgram.createSocket('udp4'), { ...anyPort, name: 'it' })).place.name).toBe('it');
  });

  it('that the successor has no use for are let go of, and their files are gone', async () => {
    const path = folder.file('old.sock');
    const estate = estateOf();
    await estate.bind(dgram.createSocket('udp4'), { path, name: 'old' });
    await estate.accept();
    estate.abandon(['old']);
    expect(existsSync(path)).toBe(false);
    expect(estate.descriptors).toEqual([]);
  });

  it('share their names with listeners, and are given to bind(), as servers are to listen()', async () => {
    const estate = estateOf();
    await estate.listen(hello(), { ...local, name: 'it' });
    await expect(estate.bind(dgram.createSocket('udp4'), { ...anyPort, name: 'it' })).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ALREADY_OWNED',
    });
    await expect(estate.bind(hello() as never, anyPort)).rejects.toThrow(/that is for listen\(\)/);
    await expect(estate.listen(dgram.createSocket('udp4') as never, local)).rejects.toThrow(/that is for bind\(\)/);
    await expect(estate.bind(dgram.createSocket('udp4'), undefined as never)).rejects.toThrow(/says where/);
    const bound = dgram.createSocket('udp4');
    await estate.bind(bound, anyPort);
    await expect(estate.bind(bound, { ...anyPort, name: 'twice' })).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ALREADY_OWNED',
    });
  });
});

describe('a group on one port', () => {
  let reserved: ReservedPort;
  let where: { host: string; port: number; reusePort: boolean };
  beforeEach(() => {
    reserved = new ReservedPort();
    where = { host: '127.0.0.1', port: reserved.port, reusePort: true };
  });
  afterEach(() => reserved[Symbol.dispose]());

  it('has names that do not collide', async () => {
    const estate = estateOf();
    for (const suffix of ['', '#2', '#3']) {
      expect((await estate.listen(hello(), where)).place.name).toBe(`tcp-127.0.0.1-${where.port}${suffix}`);
    }
    await expect(estate.listen(hello(), { ...where, reusePort: false })).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ALREADY_OWNED',
    });
  });

  it('is held and served by a version that registers one of it', async () => {
    const first = estateOf();
    for (let count = 0; count < 3; count++) await first.listen(hello(), where);
    await first.accept();
    const names = first.descriptors.map(({ name }) => name);
    const second = estateOf(new Received(first.descriptors));
    const served = await second.listen(hello(), where);
    await second.accept();
    expect(served.places).toHaveLength(3);
    expect(second.descriptors.map(({ name }) => name)).toEqual(names);
  });

  it('is whole in the hands of who holds it for others, and listens before they get it', async () => {
    const first = estateOf();
    const held = await first.hold(where);
    await first.hold(where);
    const worker = estateOf(new Received(first.descriptors), { binding: 'inherits-only' });
    expect((await worker.listen(hello(), where)).place).toMatchObject({ inherited: true, name: held.name });
    first.readyHeld();
    expect(first.descriptors.map(({ fd }) => describeDescriptor(fd))).toMatchObject([
      { listening: true },
      { listening: true },
    ]);
    const second = estateOf(new Received(first.descriptors));
    await second.hold(where);
    second.readyHeld();
    expect(second.descriptors.map(({ name }) => name)).toEqual(first.descriptors.map(({ name }) => name));
    expect(second.held).toHaveLength(2);
    await worker.accept();
    expect(await ask(where.port)).toContain('hello');
  });
});

describe('accepting', () => {
  it('everywhere or nowhere', async () => {
    const estate = estateOf();
    const good = await estate.listen(hello(), { ...local, name: 'good' });
    const taken = hello();
    await estate.listen(taken, { ...local, name: 'bad' });
    // The application has called listen() on it by itself.
    await once(taken.listen(0, '127.0.0.1'), 'listening');
    await expect(estate.accept()).rejects.toMatchObject({ code: 'ERR_SERVER_ALREADY_LISTEN' });
    expect(good.service).toBe('stopped');
    taken.close();
  });
});

describe('a listener that the successor has no use for', () => {
  it('refuses whoever connects, its socket file is gone, and after a give-back it is bound again', async () => {
    const path = folder.file('old.sock');
    const estate = estateOf();
    const web = await estate.listen(hello(), { ...local, name: 'web' });
    const old = await estate.listen(hello(), { ...local, name: 'old' });
    await estate.listen(hello(), { path, name: 'old-path' });
    await estate.accept();
    estate.stopAccepting();
    estate.abandon(['old', 'old-path', 'never heard of']);
    await expect(ask(old.place.address.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(existsSync(path)).toBe(false);

    estate.reassert();
    expect(await estate.acceptAgain()).toEqual([]);
    for (const { place } of [web, old]) expect(await ask(place.address.port)).toContain('hello');
    expect(existsSync(path)).toBe(true);
    expect(estate.descriptors.map(({ name }) => name)).toEqual(['web', 'old', 'old-path']);
  });

  it('does not lose a descriptor that the application has borrowed', async () => {
    const estate = estateOf();
    const fd = await estate.descriptor('log', () => openSync(folder.file('log'), 'w'));
    estate.abandon(['log']);
    expect(estate.descriptors).toEqual([{ name: 'log', fd }]);
    expect(describeForManifest({ name: 'log', fd }).kind).toBe('file');
  });
});

describe('holding', () => {
  it('binds or inherits as listening does, and goes over, but nobody accepts here', async () => {
    const first = estateOf();
    const held = await first.hold({ ...local, name: 'web' });
    await first.accept();
    const client = net.connect(held.address.port as number, '127.0.0.1');
    await once(client, 'connect');
    const second = estateOf(new Received(first.descriptors));
    const server = net.createServer((socket) => socket.end('from the second'));
    const listening = await second.listen(server, { ...local, name: 'web' });
    expect([held.inherited, listening.place.inherited]).toEqual([false, true]);
    expect(listening.place.address).toEqual(held.address);
    await second.accept();
    // It connected before anybody accepted, and waited in the queue.
    expect(String((await once(client, 'data'))[0])).toBe('from the second');
    client.destroy();
    const third = estateOf(new Received(second.descriptors));
    expect(await third.hold({ ...local, name: 'web' })).toMatchObject({ inherited: true });
    await expect(third.hold({ ...local, name: 'web' })).rejects.toMatchObject({ code: 'ERR_HANDOFF_ALREADY_OWNED' });
  });

  it('a process that only inherits is told what to hold for it, and binds nothing', async () => {
    const worker = new Estate(null, { binding: 'inherits-only' });
    estates.push(worker);
    await expect(worker.listen(hello(), { port: 4711 })).rejects.toMatchObject({
      code: 'ERR_HANDOFF_REFUSED',
      message: expect.stringContaining('call hold({ port: 4711 }) there before workers()'),
    });
    await expect(worker.listen(hello(), { path: '/web.sock' })).rejects.toThrow("hold({ path: '/web.sock' })");
  });
});

describe('who serves with copies of the listeners', () => {
  it('is drained together with the servers, serves again with them, and is let go of', async () => {
    const calls: string[] = [];
    const dependant: Dependant = {
      drain: async () => {
        calls.push('drain');
        return { how: 'drained', counts: { moved: 0, drained: 0, forced: 2 } };
      },
      works: [{ kind: 'worker' }],
      serveAgain: () => calls.push('serveAgain'),
      letGo: () => calls.push('letGo'),
    };
    const estate = estateOf();
    const part = estate.join(dependant);
    expect(await estate.drain(drainOrder())).toEqual({
      how: 'drained',
      counts: { moved: 0, drained: 0, forced: 2 },
    });
    await estate.acceptAgain();
    estate.close();
    expect(calls).toEqual(['drain', 'serveAgain', 'letGo']);
    part();
    await estate.drain(drainOrder());
    expect(calls).toHaveLength(3);
  });
});

describe('draining', () => {
  it('all servers at once, with one report', async () => {
    const estate = estateOf();
    const served = [
      await estate.listen(hello(), { ...local, name: 'a' }),
      await estate.listen(hello(), { ...local, name: 'b' }),
    ];
    await estate.accept();
    const clients = served.map(({ place }) => net.connect(place.address.port as number, '127.0.0.1'));
    await Promise.all(served.map(({ server }) => once(server, 'connection')));
    estate.stopAccepting();
    const end = await estate.drain(drainOrder({ idle: 1 }));
    expect(end).toEqual({ how: 'drained', counts: { moved: 0, drained: 2, forced: 0 } });
    for (const client of clients) client.destroy();
  });

  it('cancelled when one was drained already: every one serves with keep-alive again', async () => {
    const estate = estateOf();
    const [quick, slow] = [
      await estate.listen(hello(), { ...local, name: 'quick' }),
      await estate.listen(hello(), { ...local, name: 'slow' }),
    ];
    await estate.accept();
    const client = net.connect(slow.place.address.port as number, '127.0.0.1');
    await once(slow.server, 'connection');
    estate.stopAccepting();
    const cancel = new AbortController();
    const end = estate.drain(drainOrder({}, never, cancel.signal));
    await new Promise((resolve) => setImmediate(resolve));
    cancel.abort();
    expect(await end).toEqual({ how: 'cancelled' });
    client.destroy();
    await estate.accept();
    const agent = new http.Agent({ keepAlive: true });
    const { port } = quick.place.address as { port: number };
    const [response] = await once(http.get({ port, host: '127.0.0.1', agent }), 'response');
    expect(response.headers.connection).toBe('keep-alive');
    response.resume();
    await once(response, 'end');
    agent.destroy();
  });

  it('nothing is over at once', async () => {
    expect(await estateOf().drain(drainOrder())).toMatchObject({ how: 'drained' });
  });
});

describe('a descriptor', () => {
  it('is made once, and inherited from then on', async () => {
    const first = estateOf();
    const fd = await first.descriptor('log', async () => openSync(folder.file('log'), 'w'));
    const second = estateOf(new Received(first.descriptors));
    const inherited = await second.descriptor('log', () => {
      throw new Error('there is one');
    });
    expect(inherited).not.toBe(fd);
    expect(second.descriptors).toEqual([{ name: 'log', fd: inherited }]);
  });

  it('is free to be made again where making it failed', async () => {
    const estate = estateOf();
    const failing = estate.descriptor('log', () => Promise.reject(new Error('disk full')));
    await expect(failing).rejects.toThrow('disk full');
    const bound = new OwnedFd(bindTcp('127.0.0.1', 0), 'made by a test');
    listen(bound.fd, 1);
    expect(await estate.descriptor('log', () => bound)).toBe(bound.fd);
    await expect(estate.descriptor('log', () => 0)).rejects.toMatchObject({ code: 'ERR_HANDOFF_ALREADY_OWNED' });
  });
});

describe('state', () => {
  it('is restored from what the predecessor saved, and saved for the successor', async () => {
    const restored: unknown[] = [];
    const estate = estateOf(new Received([], [{ name: 'early', late: false, value: [1] }, 'last']));
    const hooks = (name: string) => ({
      save: async () => `${name} saved`,
      restore: (value: unknown) => void restored.push(value),
    });
    expect(await estate.state('early', hooks('early'))).toBe(true);
    expect(await estate.state('last', { ...hooks('last'), late: true })).toBe(true);
    expect(await estate.state('new', hooks('new'))).toBe(false);
    await estate.states.restoreLate({ name: 'last', late: true, value: 'late' });
    await estate.states.restoreLate({ name: 'dropped', late: true, value: 'nobody wants it' });
    expect(restored).toEqual([[1], 'late']);
    expect(estate.states.entries).toEqual([
      { name: 'early', late: false },
      { name: 'last', late: true },
      { name: 'new', late: false },
    ]);
    expect((await estate.states.save('early')).map(({ value }) => value)).toEqual(['early saved', 'new saved']);
    expect(await estate.states.save('late')).toEqual([{ name: 'last', late: true, value: 'last saved' }]);
    await expect(estate.state('new', hooks('new'))).rejects.toMatchObject({ code: 'ERR_HANDOFF_ALREADY_OWNED' });
  });
});

describe('what cannot be registered is told at once', () => {
  it('an application that is no server, with what to do', async () => {
    await expect(estateOf().listen((() => {}) as never, local)).rejects.toThrow(/http\.createServer\(app\)/);
  });

  it('a server that has a listener already', async () => {
    const estate = estateOf();
    const server = hello();
    await estate.listen(server, { ...local, name: 'one' });
    await expect(estate.listen(server, { ...local, name: 'two' })).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ALREADY_OWNED',
      message: expect.stringContaining('"one"'),
    });
    estate.remove();
  });

  it('hooks and adopters that are no functions', async () => {
    const estate = estateOf();
    await expect(estate.state('it', { save: 1 } as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    await expect(estate.state('it', undefined as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(() => estate.moved.adopter('it', 5 as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    await expect(estate.descriptor('it', 5 as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  });

  it('a route that has an adopter already, and a name that is none', async () => {
    const estate = estateOf();
    estate.moved.adopter('raw', () => {});
    expect(() => estate.moved.adopter('raw', () => {})).toThrow(
      expect.objectContaining({ code: 'ERR_HANDOFF_ALREADY_OWNED', message: expect.stringContaining('"raw"') }),
    );
    expect(() => estate.moved.adopter(7 as never, () => {})).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });

  it('what fails right after it was registered is let go of: server, socket and their names are free', async () => {
    const estate = estateOf();
    const server = hello();
    const socket = dgram.createSocket('udp4');
    estate.discard(await estate.listen(server, { ...local, name: 'web' }));
    estate.discard(await estate.bind(socket, { address: '127.0.0.1', port: 0, name: 'metrics' }));
    expect(estate.descriptors).toEqual([]);
    await estate.listen(server, { ...local, name: 'web' });
    expect(estate.descriptors.map(({ name }) => name)).toEqual(['web']);
  });

  it('a descriptor number that is nobody\u2019s', async () => {
    const estate = estateOf();
    await expect(estate.descriptor('it', () => 9999)).rejects.toMatchObject({ code: 'EBADF' });
    expect(estate.close()).toEqual([]);
  });
});

describe('the hooks of binding', () => {
  it('are told where it is to be, and where it is', async () => {
    const told: unknown[] = [];
    const hooks = {
      beforeBind: async (it: unknown) => void told.push(it),
      afterBind: async (it: unknown) => void told.push(it),
    };
    const first = estateOf(null, { hooks });
    const { place } = await first.listen(hello(), { ...local, name: 'web' });
    const path = folder.file('web.sock');
    await first.listen(hello(), { path });
    expect(told).toEqual([
      { name: 'web', address: { address: '127.0.0.1', port: 0 } },
      { name: 'web', address: place.address, inherited: false },
      { name: expect.any(String), address: { path } },
      { name: expect.any(String), address: { path }, inherited: false },
    ]);
    told.length = 0;
    await estateOf(new Received(first.descriptors), { hooks }).listen(hello(), { ...local, name: 'web' });
    expect(told[1]).toEqual({ name: 'web', address: place.address, inherited: true });
  });

  it('that fail before it leave everything as it was: the name and the server are free', async () => {
    const path = folder.file('web.sock');
    const server = hello();
    let fails = true;
    const beforeBind = async () => {
      if (fails) throw new Error('not yet');
    };
    const estate = estateOf(null, { hooks: { ...noBindHooks, beforeBind } });
    await expect(estate.listen(server, { path })).rejects.toThrow('not yet');
    expect(existsSync(path)).toBe(false);
    fails = false;
    expect((await estate.listen(server, { path })).place.address).toEqual({ path });
  });

  it('that fail after it let go of it again; what was inherited stays the predecessor’s', async () => {
    const afterBind = () => Promise.reject(new Error('not here'));
    const path = folder.file('web.sock');
    const first = estateOf();
    await first.listen(hello(), { path });
    const received = new Received(first.descriptors);
    await expect(
      estateOf(received, { hooks: { ...noBindHooks, afterBind } }).listen(hello(), { path }),
    ).rejects.toThrow('not here');
    expect(existsSync(path)).toBe(true);
    // The predecessor is told that nobody serves it here, or another one can have it.
    expect(received.unclaimed).toHaveLength(1);
    const other = folder.file('other.sock');
    await expect(
      estateOf(null, { hooks: { ...noBindHooks, afterBind } }).listen(hello(), { path: other }),
    ).rejects.toThrow('not here');
    expect(existsSync(other)).toBe(false);
  });
});
