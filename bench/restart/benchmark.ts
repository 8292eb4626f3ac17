/**
 * What clients see of a restart. The services run all the while; in each round every one of them is loaded, replaced once
 * under that load, and left alone again.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Benchmark, BenchmarkOptions, Measurement, Preparation } from '../comparison/benchmark.ts';
import { Participants } from '../comparison/participants.ts';
import { byReexec, bySeparateStart, byUpgrade } from './fd-handoff.ts';
import { nodeCluster, socketActivation, stopAndStart } from './node-servers.ts';
import { pm2 } from './pm2.ts';
import { haproxy, nginx } from './proxies.ts';
import type { Contender, Service } from './service.ts';
import { type Durations, durationsOf, keepAliveClients, phase, startLoads } from './strict-load.ts';

const contenders: readonly Contender[] = [
  byUpgrade,
  bySeparateStart,
  byReexec,
  nginx,
  haproxy,
  pm2,
  nodeCluster,
  socketActivation,
  stopAndStart,
];

async function replaceUnderLoad(service: Service, { warmUp, steady, replacement }: Durations): Promise<Measurement> {
  const loads = startLoads(service.port);
  await delay(warmUp);
  loads.mark('steady');
  await delay(steady);
  loads.mark('replacement');
  const begun = performance.now();
  let took = Number.NaN;
  try {
    await service.replace();
    took = performance.now() - begun;
    // As long for everybody, however quick: what was closed shows with the next request.
    await delay(Math.max(0, replacement - took));
  } finally {
    void loads.stop();
  }
  const [kept, opened] = await loads.stop();
  const during = phase(kept, 'replacement');
  const { closedAnnounced, closedUnannounced } = during.connections;
  return {
    failed: during.failed,
    closed: closedAnnounced + closedUnannounced,
    newFailed: phase(opened, 'replacement').failed,
    p99: during.latency.p99,
    steadyP99: phase(kept, 'steady').latency.p99,
    p99Ratio: during.latency.p99 / phase(kept, 'steady').latency.p99,
    longestGap: during.longestGap,
    duration: took,
  };
}

async function prepare({ quick, fetch }: BenchmarkOptions): Promise<Preparation> {
  const folder = mkdtempSync(join(tmpdir(), 'fd-handoff-bench-'));
  const services: Service[] = [];
  const participants = new Participants();
  for (const [index, contender] of contenders.entries()) {
    await participants.add(contender.name, async () => {
      const own = join(folder, String(index));
      mkdirSync(own);
      const service = await contender.start({ folder: own, fetch });
      services.push(service);
      const measure = () => replaceUnderLoad(service, durationsOf(quick));
      return [{ contender: contender.name, size: null, measure }];
    });
  }
  return {
    ...participants,
    async close() {
      await Promise.all(services.map((service) => service.end()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const restart: Benchmark = {
  name: 'restart',
  title: 'A restart under strict load',
  metrics: [
    { name: 'failed', title: 'failed requests', unit: '' },
    { name: 'closed', title: `connections closed, of ${keepAliveClients}`, unit: '' },
    { name: 'newFailed', title: 'failed on new connections', unit: '' },
    { name: 'p99', title: 'p99 meanwhile', unit: 'ms' },
    { name: 'steadyP99', title: 'p99 before', unit: 'ms' },
    { name: 'p99Ratio', title: 'p99 meanwhile, by that before', unit: '×' },
    { name: 'longestGap', title: 'longest gap', unit: 'ms' },
    { name: 'duration', title: 'replaced within', unit: 'ms' },
  ],
  prepare,
};
