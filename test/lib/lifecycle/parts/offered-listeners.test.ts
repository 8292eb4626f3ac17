import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { requireClaims } from '../../../../lib/lifecycle/parts/offered-listeners.ts';
import { Estate } from '../../../../lib/servers/index.ts';
import type { ManifestEntry } from '../../../../lib/transaction/manifest.ts';

const web: ManifestEntry = { name: 'web', kind: 'listener', address: '127.0.0.1', port: 1 };
const statsd: ManifestEntry = { name: 'statsd', kind: 'datagram', address: '127.0.0.1', port: 2 };
const log: ManifestEntry = { name: 'log', kind: 'file' };

let estate: Estate | null = null;

afterEach(() => {
  estate?.remove();
  estate = null;
});

function check(offered: ManifestEntry[], unclaimed: ManifestEntry[], choice: 'close' | 'refuse' = 'close'): void {
  estate ??= new Estate(null);
  requireClaims({ predecessor: { pid: 7 }, offered, unclaimed }, estate, choice);
}

it.each([
  ['everything', [web, statsd, log], []],
  ['a datagram socket', [web, statsd], [web]],
  ['nothing of what has no listener', [log], [log]],
])('%s is claim enough', (_what, offered, unclaimed) => {
  expect(() => check(offered, unclaimed)).not.toThrow();
});

it('no listener of several is none, and says which there were', () => {
  expect(() => check([web, statsd, log], [web, statsd])).toThrow(
    expect.objectContaining({
      code: 'ERR_HANDOFF_UNCLAIMED',
      message: expect.stringContaining('process 7 has offered: "web" (127.0.0.1:1), "statsd" (127.0.0.1:2).'),
    }),
  );
});

it('what is strict leaves nothing', () => {
  expect(() => check([web, log], [log], 'refuse')).toThrow(/leaves "log"/);
  expect(() => check([web, log], [], 'refuse')).not.toThrow();
});

it('a listener that was bound in the place of another of its port is a claim', async () => {
  estate = new Estate(null);
  const { place } = await estate.listen(http.createServer(), { host: '127.0.0.1', port: 0 });
  const wide = { ...web, address: '0.0.0.0', port: place.address.port as number };
  expect(() => check([wide], [wide], 'refuse')).not.toThrow();
});

it('so is one of the same name at another address: a move that is meant', async () => {
  estate = new Estate(null);
  await estate.listen(http.createServer(), { name: 'web', host: '127.0.0.1', port: 0 });
  expect(() => check([web], [web], 'refuse')).not.toThrow();
});

it('a server that listens by itself where something was offered is told of', async () => {
  await using server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(() => check([web, { ...statsd, kind: 'listener', port }], [{ ...statsd, kind: 'listener', port }])).toThrow(
    `listens by itself on 127.0.0.1:${port}`,
  );
});
