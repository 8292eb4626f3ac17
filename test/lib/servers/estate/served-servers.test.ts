import { once } from 'node:events';
import { existsSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AddressOptions, defaultName, resolveAddress } from '../../../../lib/servers/binding/address.ts';
import type { ListenerOptions } from '../../../../lib/servers/binding/listener.ts';
import { Names } from '../../../../lib/servers/estate/names.ts';
import { PlaceChoice } from '../../../../lib/servers/estate/place-choice.ts';
import { type FateOfClosed, ServedServers } from '../../../../lib/servers/estate/served-servers.ts';
import type { Served } from '../../../../lib/servers/serving/served.ts';
import type { Inheritance } from '../../../../lib/transaction/inheritance.ts';
import { ask } from '../../../support/ask.ts';
import { eventually } from '../../../support/eventually.ts';
import { ReservedPort } from '../../../support/kernel-listeners.ts';
import { refusal } from '../../../support/listening.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { RawClient } from '../../../support/raw-client.ts';
import { Received } from '../../../support/received.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let all: Servers[];
let fate: FateOfClosed;
let forgotten: string[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  all = [];
  fate = 'remove';
  forgotten = [];
});
afterEach(async () => {
  for (const servers of all) {
    servers.stopAccepting();
    servers.letGo('remove');
    servers.forgetAll();
    for (const { connections } of servers.all) connections.destroyAll();
  }
  Received.closeAll();
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

/** The servers of a process, registered as the estate does it. */
class Servers extends ServedServers {
  readonly #names: Names;
  readonly #places: PlaceChoice;

  constructor(places: PlaceChoice) {
    const names = new Names();
    super(places, {
      names,
      fateOfClosed: () => fate,
      onForgotten: ({ place }) => forgotten.push(place.name),
    });
    this.#names = names;
    this.#places = places;
    all.push(this);
  }

  async add(
    where: AddressOptions,
    { name, ...options }: Partial<ListenerOptions> & { name?: string } = {},
    server: net.Server = http.createServer((_, response) => response.end('answer')),
  ): Promise<Served> {
    this.check(server);
    const address = await resolveAddress(where);
    const whole = { backlog: 64, ipv6Only: false, reusePort: false, ...options };
    return this.#names.naming(name ?? this.#names.free(defaultName(address)), async (placeName) =>
      this.register(server, await this.#places.choose(placeName, address, whole), 'move'),
    );
  }

  override async accept(): Promise<void> {
    for (const { of, companion } of this.#places.takeCompanions((name) => this.#names.reserveFree(name))) {
      this.serveBesides(of, companion);
    }
    await super.accept();
  }
}

function serversOf(inheritance: Inheritance | null = null): Servers {
  return new Servers(new PlaceChoice(inheritance));
}

const local = { host: '127.0.0.1', port: 0 };
const portOf = (served: Served) => served.place.address.port as number;

describe('a version that registers fewer of a group', () => {
  it('serves the others too, hands them on, and binds them again after a give-back', async () => {
    using reserved = new ReservedPort();
    const where = { host: '127.0.0.1', port: reserved.port };
    const before = serversOf();
    for (let count = 0; count < 3; count++) await before.add(where, { reusePort: true });
    await before.accept();
    const after = serversOf(new Received(before.listeners.map(({ named }) => named)));
    const one = await after.add(where, { reusePort: true });
    await after.accept();
    before.stopAccepting();
    before.letGo('close');
    const names = ['', '#2', '#3'].map((suffix) => `tcp-127.0.0.1-${reserved.port}${suffix}`);
    expect(after.listeners.map(({ name }) => name)).toEqual(names);
    expect(one.places.map(({ inherited }) => inherited)).toEqual([true, true, true]);
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask(where)));
    expect(answers.every(({ text }) => text === 'answer')).toBe(true);

    after.stopAccepting();
    after.abandon([names[1] as string]);
    expect(after.listeners.map(({ name }) => name)).toEqual([names[0], names[2]]);
    expect(await after.acceptAgain()).toEqual([]);
    expect(after.listeners.map(({ name }) => name)).toEqual(names);
    expect(after.servingRoute(`listener:${names[2]}`)).toBe(one);
  });
});

describe('accepting again', () => {
  it('goes on where it can, and tells what is somebody else’s by now', async () => {
    const servers = serversOf();
    const lost = await servers.add(local, { name: 'lost' });
    const web = await servers.add(local, { name: 'web' });
    await servers.accept();
    servers.stopAccepting();
    servers.abandon(['lost', 'web']);
    const squatter = net.createServer();
    await once(squatter.listen(portOf(lost), '127.0.0.1'), 'listening');
    expect(await servers.acceptAgain()).toMatchObject([{ code: 'EADDRINUSE' }]);
    expect([lost, web].map(({ service }) => service)).toEqual(['stopped', 'accepting']);
    expect((await ask({ port: portOf(web) })).text).toBe('answer');
    squatter.close();
  });
});

describe('who waits in the queue when a listener is closed for good', () => {
  it.each<[string, (servers: Servers) => unknown]>([
    ['at a shutdown', (servers) => servers.closeListeners('remove')],
    ['beside others', (servers) => servers.closeListeners('close')],
    ['because the successor has no use for it', (servers) => servers.abandon(['web'])],
    ['after a ready() that failed', (servers) => servers.withdraw()],
  ])('is answered: %s', async (_, close) => {
    const servers = serversOf();
    const web = await servers.add(local, { name: 'web' });
    await servers.accept();
    servers.stopAccepting();
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(portOf(web))));
    for (const client of clients) client.send(request);
    close(servers);
    for (const client of clients) await client.until('answer');
    expect(await refusal(portOf(web))).toBe('ECONNREFUSED');
    for (const client of clients) client[Symbol.dispose]();
  });

  it('is not given to a server that has never accepted', async () => {
    const servers = serversOf();
    const web = await servers.add(local);
    const client = await RawClient.connect(portOf(web));
    servers.closeListeners('remove');
    expect(await client.closed).toBe('');
  });
});

describe('a server that the application closes', () => {
  it('is taken out: its path is removed, its name is free, and its connections are served to their end', async () => {
    const path = folder.file('web.sock');
    const servers = serversOf();
    const web = await servers.add({ path }, { name: 'web' });
    await servers.accept();
    const client = net.connect(path);
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n');
    const [socket] = (await once(web.server, 'connection')) as [net.Socket];
    // From 26.10 on Node's close() takes one that has never sent a byte for idle, and destroys it.
    await eventually(() => socket.bytesRead > 0);
    const closed = new Promise((resolve) => web.server.close(resolve));
    expect(existsSync(path)).toBe(false);
    expect(web.service).toBe('retired');
    expect(forgotten).toEqual(['web']);
    expect([servers.serving, servers.listeners]).toEqual([[], []]);
    expect(servers.all).toEqual([web]);
    const again = await servers.add({ path }, { name: 'web' });
    expect(again.place.name).toBe('web');
    client.end('\r\n');
    client.resume();
    await closed;
    await expect.poll(() => servers.all).toEqual([again]);
  });

  it("can listen again: in its own 'close', and before it, with the connections that it still has", async () => {
    const servers = serversOf();
    const web = await servers.add(local);
    await servers.accept();
    const connected = once(web.server, 'connection');
    const client = await RawClient.connect(portOf(web));
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\n');
    const [socket] = (await connected) as [net.Socket];
    await eventually(() => socket.bytesRead > 0);
    web.server.close();
    // Node's close() is not over, and nor is its 'close': the server takes new connections beside the old.
    const again = await servers.add(local, { name: 'again' }, web.server);
    await servers.accept();
    expect(servers.all).toEqual([again]);
    expect([...again.connections.sockets]).toEqual([socket]);
    expect((await ask({ port: portOf(again) })).status).toBe(200);
    const listenersBefore = web.server.listenerCount('connection');
    const third = new Promise<Served>((resolve) => {
      web.server.once('close', () => void servers.add(local, { name: 'third' }, web.server).then(resolve));
    });
    web.server.close();
    client[Symbol.dispose]();
    await third;
    await servers.accept();
    expect((await ask({ port: portOf(await third) })).status).toBe(200);
    // However often it is closed, it is watched once.
    expect(web.server.listenerCount('connection')).toBe(listenersBefore);
  });

  it('beside another process leaves that one its path', async () => {
    const path = folder.file('web.sock');
    fate = 'close';
    const servers = serversOf();
    const web = await servers.add({ path });
    await servers.accept();
    web.server.close();
    expect(existsSync(path)).toBe(true);
    expect(servers.listeners).toEqual([]);
  });

  it('before ready() gives what was inherited back', async () => {
    const before = serversOf();
    const web = await before.add(local, { name: 'web' });
    const received = new Received(before.listeners.map(({ named }) => named));
    const after = serversOf(received);
    fate = 'return';
    const inherited = await after.add({ ...local, port: portOf(web) }, { name: 'web' });
    const fresh = await after.add(local, { name: 'fresh' });
    expect(received.unclaimed).toEqual([]);
    for (const { server } of [inherited, fresh]) server.close();
    expect(received.unclaimed.map(({ name }) => name)).toEqual(['web']);
    expect(await refusal(portOf(fresh))).toBe('ECONNREFUSED');
  });

  it('during an offer stays in it, and is let go of when that is over', async () => {
    const path = folder.file('web.sock');
    const servers = serversOf();
    const web = await servers.add({ path });
    await servers.accept();
    fate = 'later';
    web.server.close();
    expect(servers.listeners).toEqual([]);
    expect(existsSync(path)).toBe(true);
    fate = 'remove';
    expect(await servers.acceptWaiting()).toEqual([]);
    expect(existsSync(path)).toBe(false);
    expect(servers.serving).toEqual([]);
  });

  it('while the process drains is nothing new: after a give-back it is served', async () => {
    const servers = serversOf();
    const web = await servers.add(local);
    await servers.accept();
    servers.stopAccepting();
    fate = 'nothing';
    web.server.close();
    expect(web.service).toBe('stopped');
    expect(await servers.acceptAgain()).toEqual([]);
    expect((await ask({ port: portOf(web) })).text).toBe('answer');
  });

  it('can be closed as ever when nobody watches any more', async () => {
    const servers = serversOf();
    const web = await servers.add(local);
    await servers.accept();
    servers.forgetAll();
    web.server.close();
    expect(forgotten).toEqual([]);
  });
});

it('one that cannot be served after all leaves nothing behind', async () => {
  const servers = serversOf();
  const web = await servers.add(local, { name: 'web' });
  servers.discard(web);
  expect(await refusal(portOf(web))).toBe('ECONNREFUSED');
  expect(Object.hasOwn(web.server, 'close')).toBe(false);
  expect((await servers.add(local, { name: 'web' }, web.server)).place.name).toBe('web');
});
