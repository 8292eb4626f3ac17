import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PlainPlace } from '../../../../lib/servers/binding/plain-place.ts';
import { Served } from '../../../../lib/servers/serving/served.ts';
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

it('is bound when the server accepts, and free when it stops', async () => {
  const place = new PlainPlace('web', { family: 'tcp', host: '127.0.0.1', address: '127.0.0.1', port: 0 }, 8);
  expect(place).toMatchObject({ inherited: false, closed: false, address: { address: '127.0.0.1', port: 0 } });
  const served = new Served(net.createServer(), place);
  await served.accept();
  expect(place.address.port).toBeGreaterThan(0);
  served.stopAccepting();
  await once(served.server, 'close');
  await served.accept();
  served.stopAccepting();
  place.close();
  place.remove();
});

it('takes every address without a host', async () => {
  const place = new PlainPlace('web', { family: 'tcp', host: null, address: '::', port: 0 }, 8);
  const served = new Served(net.createServer(), place);
  await served.accept();
  const client = net.connect(place.address.port as number, '127.0.0.1');
  await once(client, 'connect');
  client.destroy();
  await served.connections.empty();
  served.stopAccepting();
});

it('takes a path', async () => {
  const path = folder.file('web.sock');
  const place = new PlainPlace('web', { family: 'unix', path }, 8);
  expect(place.address).toEqual({ path });
  const served = new Served(net.createServer(), place);
  await served.accept();
  expect(place.address).toEqual({ path });
  served.stopAccepting();
});

it('rejects with EADDRINUSE where the port is taken', async () => {
  const blocker = net.createServer().listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  const { port } = blocker.address() as net.AddressInfo;
  const place = new PlainPlace('web', { family: 'tcp', host: '127.0.0.1', address: '127.0.0.1', port }, 8);
  await expect(new Served(net.createServer(), place).accept()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  blocker.close();
});
