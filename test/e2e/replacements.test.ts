import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LoadClient } from '../../bench/load-client.ts';
import { askJson } from '../support/ask.ts';
import { Scene } from '../support/scene.ts';

const replacements = 200;

interface Figures {
  readonly descriptors: number;
  readonly heap: number;
  readonly external: number;
}

async function figures(port: number, pid: number): Promise<Figures> {
  const { heapUsed, external } = await askJson<NodeJS.MemoryUsage>({ port }, '/admin/memory');
  return { descriptors: readdirSync(`/proc/${pid}/fd`).length, heap: heapUsed, external };
}

test(`${replacements} replacements in a row under strict load: nothing fails, nothing grows`, {
  timeout: 600_000,
}, async () => {
  await using scene = new Scene();
  const first = scene.server();
  const { addresses } = await first.ready(0);
  const { port } = (addresses as { port: number }[])[0] as { port: number };
  const target = `http://127.0.0.1:${port}/`;
  const loads = [
    new LoadClient({ target, clients: 20, mode: 'keep-alive', loop: { kind: 'closed', pause: 20 } }),
    new LoadClient({ target, clients: 5, mode: 'new-connection', loop: { kind: 'closed', pause: 20 } }),
  ];

  for (const load of loads) load.start();
  let pid = first.pid;
  let early: Figures | null = null;
  for (let generation = 1; generation <= replacements; generation++) {
    first.signal('SIGHUP', pid);
    pid = (await first.ready(generation)).pid;
    if (generation === 3) early = await figures(port, pid);
  }
  const late = await figures(port, pid);
  const reports = await Promise.all(loads.map((load) => load.stop()));

  console.log(JSON.stringify({ early, late, requests: reports.map(({ total }) => total.requests) }));
  for (const report of reports) {
    expect(report.examples).toEqual([]);
    expect(report.total.failed).toBe(0);
    expect(report.total.requests).toBeGreaterThan(replacements);
  }
  // Connections of the load come and go while the numbers are taken; a leak of one a generation would be two hundred.
  expect(Math.abs(late.descriptors - (early?.descriptors ?? 0))).toBeLessThan(40);
  expect(late.heap).toBeLessThan((early?.heap ?? 0) * 1.25);
  expect(first.told.filter(({ event }) => event === 'rollback' || event === 'give-back' || event === 'error')).toEqual(
    [],
  );
});
