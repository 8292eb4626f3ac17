import dgram from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DatagramListener, type DatagramPlace } from '../../../../lib/servers/datagrams/datagram-listener.ts';
import { PlainDatagramPlace } from '../../../../lib/servers/datagrams/plain-datagram-place.ts';
import { checkUnbound, Receiver } from '../../../../lib/servers/datagrams/receiver.ts';
import { DatagramClient } from '../../../support/datagram-client.ts';
import { eventually } from '../../../support/eventually.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';

let descriptors: DescriptorCheck;
let client: DatagramClient;
let sockets: Set<dgram.Socket>;
let places: DatagramPlace[];

beforeEach(async () => {
  descriptors = new DescriptorCheck();
  client = await DatagramClient.open();
  sockets = new Set();
  places = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.close();
  for (const place of places) place.close();
  await client[Symbol.asyncDispose]();
  await descriptors[Symbol.asyncDispose]();
});

/** Closed when the test is over, unless it was by then. */
function keep(socket: dgram.Socket): void {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
}

const address = { family: 'udp4', host: '127.0.0.1', address: '127.0.0.1', port: 0 } as const;

interface Opened {
  readonly receiver: Receiver;
  readonly socket: dgram.Socket;
  readonly port: number;
  readonly heard: string[];
  /** How often its closing was told. */
  closings: number;
}

async function open(kind: 'held' | 'plain' = 'held', socket = dgram.createSocket('udp4')): Promise<Opened> {
  keep(socket);
  const options = { mode: undefined, ipv6Only: false, reuseAddress: false, reusePort: false };
  const place =
    kind === 'held' ? await DatagramListener.bind('it', address, options) : new PlainDatagramPlace('it', address);
  places.push(place);
  const heard: string[] = [];
  socket.on('message', (message) => heard.push(message.toString()));
  const receiver = await Receiver.open(socket, place, () => {
    opened.closings++;
  });
  const opened = { receiver, socket, port: place.address.port as number, heard, closings: 0 };
  return opened;
}

/** Lets the loop look at every descriptor: what could be received has been. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe.each(['held', 'plain'] as const)('in a place that is %s', (kind) => {
  it('receives nothing before it is told to, and then what has come', async () => {
    const { receiver, port, heard } = await open(kind);
    expect(receiver.service).toBe('waiting');
    await client.send('early', port);
    await turns();
    expect(heard).toEqual([]);
    await receiver.accept();
    expect(receiver.service).toBe('accepting');
    await eventually(() => heard.length === 1);
    expect(heard).toEqual(['early']);
  });

  it('stops receiving without a loss, and can still send', async () => {
    const { receiver, socket, port, heard } = await open(kind);
    await receiver.accept();
    await client.send('one', port);
    await eventually(() => heard.length === 1);
    receiver.stopAccepting();
    receiver.stopAccepting();
    expect(receiver.service).toBe('stopped');
    await client.send('two', port);
    await turns();
    expect(heard).toEqual(['one']);
    const answer = client.next();
    socket.send('owed', client.port, '127.0.0.1');
    expect(await answer).toBe('owed');
    await receiver.accept();
    await eventually(() => heard.length === 2);
    expect(heard).toEqual(['one', 'two']);
  });

  it('is closed once, whoever does it', async () => {
    const own = await open(kind);
    const closed = once(own.socket, 'close');
    own.receiver.close();
    own.receiver.close();
    await closed;
    const other = await open(kind);
    other.socket.close();
    await once(other.socket, 'close');
    expect(other.closings).toBe(1);
    other.receiver.close();
    await other.receiver.accept();
    other.receiver.stopAccepting();
  });

  it('lets go of its place where the application closes it: nobody else is to inherit what nobody reads', async () => {
    const { socket, receiver, port } = await open(kind);
    socket.close();
    await once(socket, 'close');
    expect(kind === 'plain' || receiver.place.closed).toBe(true);
    const again = dgram.createSocket('udp4').bind(port, '127.0.0.1');
    keep(again);
    await once(again, 'listening');
  });

  it('is dismissed as if it had never been', async () => {
    const { socket, receiver } = await open(kind);
    const closed = once(socket, 'close');
    receiver.dismiss();
    await closed;
  });
});

it('can send, and has an address, before it receives', async () => {
  const { socket, port } = await open();
  expect(socket.address()).toMatchObject({ address: '127.0.0.1', port });
  const answer = client.next();
  socket.send('first', client.port, '127.0.0.1');
  expect(await answer).toBe('first');
});

it('stopped between two datagrams, it has delivered the one, and the other waits', async () => {
  const { receiver, socket, port, heard } = await open();
  const stop = () => receiver.stopAccepting();
  socket.on('message', stop);
  const texts = Array.from({ length: 50 }, (_, index) => String(index));
  for (const text of texts) await client.send(text, port);
  await receiver.accept();
  await eventually(() => receiver.service === 'stopped');
  await turns();
  expect(heard).toEqual(['0']);
  socket.off('message', stop);
  await receiver.accept();
  await eventually(() => heard.length === texts.length);
  expect(heard).toEqual(texts);
});

it('gets the buffer sizes that the socket was made with', async () => {
  const sizes = { recvBufferSize: 30_000, sendBufferSize: 20_000 };
  const socket = dgram.createSocket({ type: 'udp4', ...sizes });
  await open('held', socket);
  const plain = dgram.createSocket({ type: 'udp4', ...sizes });
  keep(plain);
  await once(plain.bind(0, '127.0.0.1'), 'listening');
  expect(socket.getRecvBufferSize()).toBe(plain.getRecvBufferSize());
  expect(socket.getSendBufferSize()).toBe(plain.getSendBufferSize());
});

it('what a listener of the application throws while it is bound is told, and nothing is leaked', async () => {
  const socket = dgram.createSocket('udp4');
  socket.once('listening', () => {
    throw new Error('no such group');
  });
  await expect(open('held', socket)).rejects.toThrow('no such group');
  expect(places.every(({ closed }) => closed)).toBe(true);
});

it('rejects with what the socket says', async () => {
  const taken = await open('plain');
  const place = new PlainDatagramPlace('it', { ...address, port: taken.port });
  const socket = dgram.createSocket('udp4');
  keep(socket);
  await expect(Receiver.open(socket, place, () => {})).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

describe('what cannot be bound is told, with what to do', () => {
  it('a server, and what is nothing of the kind', () => {
    const invalid = (message: RegExp) =>
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE', message: expect.stringMatching(message) });
    expect(() => checkUnbound(createServer() as never)).toThrow(invalid(/that is for listen\(\)/));
    expect(() => checkUnbound(null as never)).toThrow(invalid(/Received null/));
    expect(() => checkUnbound('udp4' as never)).toThrow(invalid(/Received string/));
  });

  it('a socket that the application has bound', () => {
    expect(() => checkUnbound(client.socket)).toThrow(
      expect.objectContaining({ code: 'ERR_HANDOFF_ALREADY_OWNED', message: expect.stringContaining('127.0.0.1') }),
    );
  });

  it('a socket that the application is about to bind, which is left to do so', async () => {
    const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    const listening = once(socket, 'listening');
    checkUnbound(socket);
    await expect(open('held', socket)).rejects.toMatchObject({ code: 'ERR_HANDOFF_ALREADY_OWNED' });
    await listening;
    const message = once(socket, 'message');
    await client.send('for itself', socket.address().port);
    expect(String((await message)[0])).toBe('for itself');
  });
});
