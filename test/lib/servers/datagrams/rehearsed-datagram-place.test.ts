import { createSocket, type Socket } from 'node:dgram';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Receiver } from '../../../../lib/servers/datagrams/receiver.ts';
import { RehearsedDatagramPlace } from '../../../../lib/servers/datagrams/rehearsed-datagram-place.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';

const options = { ipv6Only: false, reuseAddress: false, reusePort: false };

let descriptors: DescriptorCheck;
let socket: Socket;

beforeEach(() => {
  descriptors = new DescriptorCheck();
  socket = createSocket('udp4');
});
afterEach(async () => {
  socket.close();
  await descriptors[Symbol.asyncDispose]();
});

it('says the real address, and gives the socket one of its own, with which it can do what sockets can', async () => {
  const wanted = { family: 'udp4', host: null, address: '0.0.0.0', port: 53 } as const;
  const place = await RehearsedDatagramPlace.make('dns', wanted, null, options);
  expect(place).toMatchObject({ name: 'dns', inherited: false, peer: null, closed: false });
  expect(place.address).toEqual({ address: '0.0.0.0', port: 53 });
  await Receiver.open(socket, place, () => {});
  expect(socket.address().address).toBe('127.0.0.1');
  expect(socket.address().port).not.toBe(53);
  socket.addMembership('239.1.2.3', '127.0.0.1');
  socket.setBroadcast(true);
});

it('says the address of the predecessor’s, where there is one', async () => {
  const wanted = { family: 'udp4', host: '127.0.0.1', address: '127.0.0.1', port: 0 } as const;
  const bound = { address: '127.0.0.1', port: 5353 };
  const place = await RehearsedDatagramPlace.make('dns', wanted, bound, options);
  expect(place).toMatchObject({ inherited: true, address: bound });
  place.remove();
  expect(place.closed).toBe(true);
});

it('touches no path', async () => {
  const files = () => readdirSync(tmpdir()).filter((name) => /^fd-handoff-[0-9a-f]{32}$/.test(name));
  const before = files();
  const path = '/nowhere/log.sock';
  const place = await RehearsedDatagramPlace.make('log', { family: 'unix', path }, null, options);
  expect(place.address).toEqual({ path });
  await Receiver.open(socket, place, () => {});
  expect(existsSync(path)).toBe(false);
  expect(files().filter((file) => !before.includes(file))).toEqual([]);
});
