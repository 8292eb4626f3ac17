/**
 * What a handoff costs: from SIGHUP to commit, less the bare start of the same server, and where the time goes. Every round
 * measures a bare start and a handoff of the same server, one after the other.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Benchmark, BenchmarkOptions, Case, Measurement, Preparation } from '../comparison/benchmark.ts';
import { RunningProgram } from '../comparison/running-program.ts';
import { at, now, told } from './moments.ts';

const listenerCounts = [1, 16, 64];
/** In megabytes. */
const stateSizes = [1, 10, 100];
const quickStateSizes = [1, 10];

const megabyte = 1024 * 1024;

async function measure(environment: NodeJS.ProcessEnv, folder: string): Promise<Measurement> {
  const path = fileURLToPath(new URL('server.js', import.meta.url));
  const begun = now();
  const program = new RunningProgram(process.execPath, [path], {
    ...environment,
    CONTROL: join(folder, 'control.sock'),
  });
  try {
    const alone = await told(program, 'ready');
    const bareStart = at(alone, 'ready') - begun;
    program.signal('SIGHUP', at(alone, 'pid'));
    const successor = await told(program, 'ready');
    const former = await told(program, 'commit');
    await told(program, 'gone');
    const total = at(former, 'sending COMMITTED') - at(former, 'signal');
    return {
      bareStart,
      total,
      own: total - bareStart,
      // Node's own start, up to the first line of the program.
      boot: at(successor, 'loading') - at(former, 'signal'),
      load: at(successor, 'loaded') - at(successor, 'loading'),
      hello: at(former, 'received HELLO') - at(successor, 'loaded'),
      descriptors: at(former, 'received RECEIVED') - at(former, 'received HELLO'),
      state: at(successor, 'offered') - at(successor, 'sent RECEIVED'),
      application: at(successor, 'sending READY') - at(successor, 'offered'),
      commit: at(former, 'sending COMMITTED') - at(successor, 'sending READY'),
      after: at(successor, 'ready') - at(former, 'sending COMMITTED'),
      memoryOld: at(former, 'memory') / megabyte,
      memoryNew: at(successor, 'memory') / megabyte,
    };
  } finally {
    await program.end();
  }
}

async function prepare({ quick }: BenchmarkOptions): Promise<Preparation> {
  const folder = mkdtempSync(join(tmpdir(), 'fd-handoff-bench-'));
  const cases: Case[] = [
    ...listenerCounts.map((size) => ({
      contender: 'listeners',
      size,
      measure: () => measure({ LISTENERS: String(size) }, folder),
    })),
    ...(quick ? quickStateSizes : stateSizes).map((size) => ({
      contender: 'megabytes of state',
      size,
      measure: () => measure({ STATE: String(size * megabyte) }, folder),
    })),
  ];
  return { cases, absent: [], close: async () => rmSync(folder, { recursive: true, force: true }) };
}

export const handoffPhases: Benchmark = {
  name: 'handoff',
  title: 'From SIGHUP to commit, in milliseconds',
  sizeTitle: 'how many',
  metrics: [
    { name: 'total', title: 'SIGHUP to commit', unit: 'ms' },
    { name: 'bareStart', title: 'bare start of the same server', unit: 'ms' },
    { name: 'own', title: 'the handoff itself', unit: 'ms' },
    { name: 'boot', title: 'Node starts', unit: 'ms' },
    { name: 'load', title: 'the library loads', unit: 'ms' },
    { name: 'hello', title: 'HELLO', unit: 'ms' },
    { name: 'descriptors', title: 'offer and descriptors', unit: 'ms' },
    { name: 'state', title: 'state', unit: 'ms' },
    { name: 'application', title: 'listen() and ready()', unit: 'ms' },
    { name: 'commit', title: 'newline to commit', unit: 'ms' },
    { name: 'after', title: 'commit to ready', unit: 'ms' },
    { name: 'memoryOld', title: 'memory of the old process', unit: 'MB' },
    { name: 'memoryNew', title: 'of the new process', unit: 'MB' },
  ],
  prepare,
};
