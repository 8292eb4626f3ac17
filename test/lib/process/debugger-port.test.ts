import { once } from 'node:events';
import inspector from 'node:inspector';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { addressOf, DebuggerPort } from '../../../lib/process/debugger-port.ts';

afterEach(() => inspector.close());

async function held() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

it('reads the address of an inspector', () => {
  expect(addressOf('ws://127.0.0.1:9229/id')).toEqual({ host: '127.0.0.1', port: 9229 });
  expect(addressOf('ws://[::1]:80/id')).toEqual({ host: '::1', port: 80 });
  expect(addressOf(undefined)).toBe(null);
});

it('is opened when it is free, and passed on meanwhile as if it were', async () => {
  const { server, port } = await held();
  const mine = new DebuggerPort();
  const address = { host: '127.0.0.1', port };
  mine.open(address);
  expect([mine.address, inspector.url()]).toEqual([address, undefined]);
  server.close();
  await expect.poll(() => addressOf(inspector.url()), { timeout: 10_000 }).toEqual(address);
  expect(mine.address).toEqual(address);
});

it('is closed once it is promised, and opened when it is taken back', async () => {
  const mine = new DebuggerPort();
  inspector.open(0, '127.0.0.1', false);
  const { address } = mine;
  mine.promise();
  expect(mine.address).toBe(null);
  await expect.poll(() => inspector.url(), { timeout: 10_000 }).toBe(undefined);
  mine.takeBack();
  await expect.poll(() => addressOf(inspector.url()), { timeout: 10_000 }).toEqual(address);
});

it('is not opened beside one of its own', async () => {
  inspector.open(0, '127.0.0.1', false);
  const own = addressOf(inspector.url());
  const { server, port } = await held();
  const mine = new DebuggerPort();
  mine.open({ host: '127.0.0.1', port });
  await expect.poll(() => mine.address, { timeout: 10_000 }).toEqual(own);
  server.close();
});

it('does nothing for a process that has none', () => {
  const mine = new DebuggerPort();
  mine.promise();
  mine.takeBack();
  mine.close();
  expect(mine.address).toBe(null);
});
