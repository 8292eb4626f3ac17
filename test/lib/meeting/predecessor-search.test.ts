import { existsSync, lstatSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SendingChannel } from '../../../lib/channel/channel.ts';
import { Control } from '../../../lib/channel/control.ts';
import { setCloseOnExec } from '../../../lib/fd/descriptor.ts';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { accept, bindUnix, connectUnix, listen, socketPair } from '../../../lib/fd/socket.ts';
import { type Found, findPredecessor } from '../../../lib/meeting/predecessor-search.ts';
import { channelVariable } from '../../../lib/process/start/environment.ts';
import { descriptorOf } from '../../../lib/servers/internals/sockets.ts';
import { readHello } from '../../../lib/transaction/hello.ts';
import { controlName } from '../../../lib/transaction/manifest.ts';
import { unlinkWhileHeld } from '../../../lib/transaction/path/control-path.ts';
import { makeOffer } from '../../../lib/transaction/predecessor.ts';
import { authorizeSameUser, Reception, type Visitor } from '../../../lib/transaction/reception.ts';
import { eventually } from '../../support/eventually.ts';
import { never } from '../../support/never.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let path: string;
let owned: OwnedFd[];
let receptions: Reception[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  path = folder.file('control.sock');
  owned = [];
  receptions = [];
});
afterEach(async () => {
  for (const reception of receptions) reception.close();
  for (const descriptor of owned) descriptor.close();
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

function search(timeout = 30_000): Promise<Found> {
  return findPredecessor({ control: path, intent: 'takeover', timeout });
}

function keep(found: Found): Found {
  if (found.is === 'fresh' && found.control !== null) owned.push(found.control);
  return found;
}

function listenAt(where: string): OwnedFd {
  const listener = new OwnedFd(bindUnix(where), 'the listener of a test');
  owned.push(listener);
  listen(listener.fd, 64);
  return listener;
}

/** A predecessor at the path; `meet` is what it does with who comes. */
async function predecessor(meet: (visitor: Visitor) => void, listener = listenAt(path)): Promise<Reception> {
  const reception = new Reception({ descriptorOf, authorize: authorizeSameUser, onVisitor: meet, onRefusal: () => {} });
  receptions.push(reception);
  await reception.open(listener);
  return reception;
}

const emptyOffer = {
  mode: 'replace',
  generation: 2,
  descriptors: [],
  states: [],
  saveStates: async () => [],
  readyTimeout: 30_000,
} as const;

function offerTo({ channel, hello }: Visitor, listener: OwnedFd): void {
  if (channel === null) throw new Error('the visitor has no lane');
  const offer = { ...emptyOffer, descriptors: [{ name: controlName, fd: listener.fd }] };
  makeOffer({ channel, hello }, offer, never, () => {})
    .catch(() => {})
    .finally(() => channel[Symbol.dispose]());
}

function close(found: Found): void {
  if (found.is !== 'takeover') throw new Error(`found ${found.is}`);
  found.takeover[Symbol.dispose]();
}

describe('a starting process', () => {
  it('is fresh where there is nobody, and has the path then, for itself alone', async () => {
    expect(keep(await search())).toMatchObject({ is: 'fresh', control: expect.any(OwnedFd) });
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
  });

  it('is fresh without a path', async () => {
    expect(await findPredecessor({ control: null, intent: 'takeover', timeout: 1000 })).toEqual({
      is: 'fresh',
      control: null,
      passed: [],
    });
  });

  it('is fresh where a dead one left its file', async () => {
    listenAt(path).close();
    expect(keep(await search()).is).toBe('fresh');
  });

  it('finds whoever answers', async () => {
    const listener = listenAt(path);
    await predecessor((visitor) => offerTo(visitor, listener), listener);
    const found = await search();
    expect(found).toMatchObject({ is: 'takeover', takeover: { generation: 3, predecessor: { pid: process.pid } } });
    close(found);
  });

  it('finds the one that spawned it first, by its environment, which is clean afterwards', async () => {
    const [control, childsControl] = socketPair();
    const [lane, childsLane] = socketPair();
    for (const fd of [childsControl, childsLane]) setCloseOnExec(fd, false);
    const channel = new SendingChannel(
      new Control(new net.Socket({ fd: control }), 'successor'),
      new OwnedFd(lane, 'the lane of a test'),
    );
    process.env[channelVariable] = `${childsControl},${childsLane}`;
    const searching = search();
    expect(process.env[channelVariable]).toBeUndefined();
    const hello = readHello(await channel.control.expect(['HELLO'], never));
    const offered = makeOffer({ channel, hello }, emptyOffer, never, () => {}).catch(() => {});
    close(await searching);
    await offered;
    channel[Symbol.dispose]();
    expect(existsSync(path)).toBe(false);
  });

  it('goes on to the path where the one that spawned it is gone', async () => {
    const [control, childsControl] = socketPair();
    const [lane, childsLane] = socketPair();
    new OwnedFd(control, 'control').close();
    new OwnedFd(lane, 'lane').close();
    process.env[channelVariable] = `${childsControl},${childsLane}`;
    expect(keep(await search()).is).toBe('fresh');
  });
});

describe('a predecessor', () => {
  it('that refuses is heard', async () => {
    await predecessor(({ control, channel }) => {
      control.send('REFUSED', { code: 'ERR_HANDOFF_BUSY', message: 'one at a time' });
      void channel?.end();
    });
    await expect(search()).rejects.toMatchObject({ code: 'ERR_HANDOFF_BUSY', message: 'one at a time' });
  });

  it('that lets nobody in is heard, also when it is quicker than we are', async () => {
    const reception = new Reception({ descriptorOf, authorize: () => false, onVisitor: () => {}, onRefusal: () => {} });
    receptions.push(reception);
    await reception.open(listenAt(path));
    for (let round = 0; round < 20; round++) {
      await expect(search()).rejects.toMatchObject({ code: 'ERR_HANDOFF_UNTRUSTED_PEER' });
    }
  });

  it('that dies in its offer is followed by a fresh start', async () => {
    const listener = listenAt(path);
    const reception = await predecessor(({ channel }) => {
      unlinkWhileHeld(path, listener);
      reception.close();
      listener.close();
      channel?.[Symbol.dispose]();
    }, listener);
    expect(keep(await search()).is).toBe('fresh');
  });

  it('that has just handed over sends us to the one after it', async () => {
    const listener = listenAt(path);
    let visits = 0;
    await predecessor((visitor) => {
      if (++visits > 1) return offerTo(visitor, listener);
      visitor.control.send('REFUSED', { code: 'ERR_HANDOFF_NOT_READY', message: 'not any more' });
      void visitor.channel?.end();
    }, listener);
    close(await search());
    expect(visits).toBe(2);
  });

  it('that says nothing costs no more than the time allowed', async () => {
    listenAt(path);
    await expect(search(30)).rejects.toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
  });

  it('whose queue is full costs no more than that, and leaves nothing open', async () => {
    const listener = new OwnedFd(bindUnix(path), 'a listener with one place');
    owned.push(listener);
    listen(listener.fd, 1);
    // Room for one of our two connections.
    owned.push(new OwnedFd(connectUnix(path), 'a visitor before us'));
    await expect(search(30)).rejects.toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
    // What had been connected was closed again.
    owned.push(new OwnedFd(accept(listener.fd) as number, 'the visitor before us'));
    const ours = accept(listener.fd);
    if (ours !== null) owned.push(new OwnedFd(ours, 'our connection'));
  });

  it('that gives no offer at all for ever is an error that says so', async () => {
    await predecessor(({ channel }) => channel?.[Symbol.dispose]());
    await expect(search()).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ALREADY_OWNED',
      message: expect.stringContaining('10 times'),
    });
  });
});

it('a file that is no socket is left alone', async () => {
  writeFileSync(path, 'precious');
  await expect(search()).rejects.toMatchObject({ code: 'ERR_HANDOFF_ALREADY_OWNED' });
  expect(lstatSync(path).isFile()).toBe(true);
});

describe('two starts at once on one path: exactly one wins', () => {
  it('and the other takes over from it', async () => {
    for (let round = 0; round < 10; round++) {
      const offers: Visitor[] = [];
      const starts = [search(), search()];
      const first = await Promise.race(starts);
      if (first.is !== 'fresh' || first.control === null) throw new Error(`found ${first.is}`);
      const reception = await predecessor((visitor) => offers.push(visitor), first.control);
      await eventually(() => offers.length === 1);
      offerTo(offers[0] as Visitor, first.control);
      const found = await Promise.all(starts);
      expect(found.map(({ is }) => is).sort()).toEqual(['fresh', 'takeover']);
      for (const one of found) if (one.is === 'takeover') close(one);
      reception.close();
      unlinkWhileHeld(path, first.control);
      first.control.close();
    }
  });
});
