import dgram from 'node:dgram';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { expect, test } from 'vitest';
import { statusOf } from '../../../../lib/lifecycle/parts/status.ts';
import { Estate } from '../../../../lib/servers/estate/estate.ts';
import { readPage } from '../../../support/page.ts';
import { RawClient } from '../../../support/raw-client.ts';

const { version } = JSON.parse(readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8'));

test('it tells what there is, as JSON', async () => {
  const estate = new Estate(null);
  try {
    await estate.listen(http.createServer(), { name: 'web', port: 0, host: '127.0.0.1' });
    await estate.listen(http.createServer(), { name: 'admin', port: 0, host: '127.0.0.1' });
    const metrics = await estate.bind(dgram.createSocket('udp4'), { name: 'metrics', port: 0, address: '127.0.0.1' });
    await estate.bind(dgram.createSocket('udp4'), { name: 'log', path: '@fd-handoff-status-test' });
    await estate.hold({ name: 'workers', port: 0, host: '127.0.0.1' });
    await estate.state('counters', { save: () => 1, restore: () => {} });
    const [web] = estate.served;
    await web?.accept();
    await metrics.accept();
    const port = web?.place.address.port as number;
    using client = await RawClient.connect(port);
    await expect.poll(() => web?.connections.sockets.size).toBe(1);
    const predecessor = { pid: 7, generation: 2 };
    const status = statusOf({
      generation: 3,
      predecessor,
      phase: 'serving',
      control: '/run/app.sock',
      estate,
      draining: [],
    });
    expect(JSON.parse(JSON.stringify(status))).toEqual({
      pid: process.pid,
      generation: 3,
      predecessor,
      phase: 'serving',
      startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      uptime: expect.any(Number),
      listeners: [
        { name: 'web', address: '127.0.0.1', port, path: null, accepting: true, connections: 1 },
        expect.objectContaining({ name: 'admin', accepting: false, connections: 0 }),
        expect.objectContaining({ name: 'workers', address: '127.0.0.1', accepting: false, connections: 0 }),
      ],
      datagramSockets: [
        { name: 'metrics', address: '127.0.0.1', port: metrics.place.address.port, path: null, receiving: true },
        { name: 'log', address: null, port: null, path: '@fd-handoff-status-test', receiving: false },
      ],
      draining: [],
      descriptors: [],
      states: ['counters'],
      control: '/run/app.sock',
      memory: { rss: expect.any(Number), heapUsed: expect.any(Number) },
      node: process.version,
      version,
    });
    expect(Date.parse(status.startedAt) + status.uptime).toBeLessThanOrEqual(Date.now() + 1);
    client.socket.destroy();
  } finally {
    estate.stopAccepting();
    estate.remove();
  }
});

test('docs/observability.md shows what there is, and nothing else', async () => {
  const shown = readPage('docs/observability.md').blocks.find(({ text }) => text.includes('"startedAt"'))?.text ?? '';
  const estate = new Estate(null);
  try {
    await estate.listen(http.createServer(), { name: 'web', port: 0, host: '127.0.0.1' });
    const status = statusOf({
      generation: 0,
      predecessor: null,
      phase: 'serving',
      control: null,
      estate,
      draining: [],
    });
    const documented = JSON.parse(shown);
    expect(Object.keys(documented)).toEqual(Object.keys(status));
    expect(Object.keys(documented.listeners[0])).toEqual(Object.keys(status.listeners[0] ?? {}));
    expect(Object.keys(documented.memory)).toEqual(Object.keys(status.memory));
  } finally {
    estate.stopAccepting();
    estate.remove();
  }
});
