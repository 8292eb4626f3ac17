/**
 * Which requests of a replacement are slow, and what was happening then. Beside it a plain server in its first second, with
 * no library, no process before it and nothing to take over: no replacement by a new process can have fewer.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Benchmark, BenchmarkOptions, Case, Measurement, Preparation } from '../comparison/benchmark.ts';
import { RunningProgram } from '../comparison/running-program.ts';
import { at, now, told } from '../handoff/moments.ts';
import { freePort, serverProgram } from './service.ts';
import { type Durations, durationsOf, type Loads, phase, startLoads } from './strict-load.ts';

/** A request that took longer than so many times the p99 of the quiet before is slow. */
const slow = 2;

/** How long after the end of a replacement, or after a start, is told from the rest, in milliseconds. */
const aftermath = 100;

/** How long a server of this benchmark is loaded before anything counts, in milliseconds: it is compiled by then. */
const warmUp = 1500;

/** When what was answered to those who keep their connections, and how long it had taken, in milliseconds. */
class Answers {
  readonly #answers: { readonly at: number; readonly latency: number }[] = [];

  constructor(loads: Loads) {
    loads.onAnswer((latency) => this.#answers.push({ at: now(), latency }));
  }

  count(from: number, to: number): number {
    return this.#answers.filter((answer) => answer.at >= from && answer.at < to).length;
  }

  slow(limit: number, from: number, to: number): number {
    return this.#answers.filter(({ at, latency }) => latency > limit && at >= from && at < to).length;
  }
}

async function replaceUnderLoad({ steady, replacement }: Durations, folder: string): Promise<Measurement> {
  const port = await freePort();
  const path = fileURLToPath(new URL('../handoff/server.js', import.meta.url));
  const environment = { CONTROL: join(folder, 'control.sock'), PORT: String(port) };
  const program = new RunningProgram(process.execPath, [path], environment);
  let loads: Loads | undefined;
  try {
    const pid = at(await told(program, 'ready'), 'pid');
    loads = startLoads(port);
    const answers = new Answers(loads);
    await delay(warmUp);
    loads.mark('steady');
    await delay(steady);
    loads.mark('replacement');
    const begun = now();
    program.signal('SIGHUP', pid);
    await told(program, 'ready');
    const former = await told(program, 'gone');
    await delay(Math.max(0, begun + replacement - now()));
    const [kept] = await loads.stop();
    const { p99: steadyP99 } = phase(kept, 'steady').latency;
    const moments = {
      begun,
      met: at(former, 'received HELLO'),
      committed: at(former, 'sending COMMITTED'),
      gone: at(former, 'gone'),
      end: begun + replacement,
    };
    const count = (from: number, to: number) => answers.slow(slow * steadyP99, from, to);
    return {
      requests: answers.count(begun, moments.end),
      starting: count(begun, moments.met),
      offer: count(moments.met, moments.committed),
      moving: count(moments.committed, moments.gone),
      after: count(moments.gone, moments.gone + aftermath),
      rest: count(moments.gone + aftermath, moments.end),
      total: count(begun, moments.end),
      steadyP99,
      p99Ratio: phase(kept, 'replacement').latency.p99 / steadyP99,
    };
  } finally {
    void loads?.stop();
    await program.end();
  }
}

async function loadNewServer({ steady, replacement }: Durations): Promise<Measurement> {
  const port = await freePort();
  const program = new RunningProgram(process.execPath, [serverProgram('plain-server.js')], { PORT: String(port) });
  let loads: Loads | undefined;
  try {
    await program.ready();
    loads = startLoads(port);
    const answers = new Answers(loads);
    // The first request of each includes connecting, and does not count.
    await delay(aftermath);
    loads.mark('new');
    const begun = now();
    await delay(replacement);
    loads.mark('warming');
    const end = now();
    await delay(warmUp);
    loads.mark('steady');
    await delay(steady);
    const [kept] = await loads.stop();
    const { p99: steadyP99 } = phase(kept, 'steady').latency;
    return {
      requests: answers.count(begun, end),
      total: answers.slow(slow * steadyP99, begun, end),
      steadyP99,
      p99Ratio: phase(kept, 'new').latency.p99 / steadyP99,
    };
  } finally {
    void loads?.stop();
    await program.end();
  }
}

async function prepare({ quick }: BenchmarkOptions): Promise<Preparation> {
  const folder = mkdtempSync(join(tmpdir(), 'fd-handoff-bench-'));
  const durations = durationsOf(quick);
  const cases: Case[] = [
    { contender: 'fd-handoff, upgrade', size: null, measure: () => replaceUnderLoad(durations, folder) },
    { contender: 'a new server, nothing replaced', size: null, measure: () => loadNewServer(durations) },
  ];
  return { cases, absent: [], close: async () => rmSync(folder, { recursive: true, force: true }) };
}

export const slowRequests: Benchmark = {
  name: 'slow',
  title: 'Slow requests in the second of a replacement',
  metrics: [
    { name: 'requests', title: 'requests', unit: '' },
    { name: 'total', title: `slower than ${slow} × the p99 before`, unit: '' },
    { name: 'starting', title: 'while the new process starts', unit: '' },
    { name: 'offer', title: 'from HELLO to commit', unit: '' },
    { name: 'moving', title: 'while connections move', unit: '' },
    { name: 'after', title: `in the ${aftermath} ms after that`, unit: '' },
    { name: 'rest', title: 'in the rest of the second', unit: '' },
    { name: 'steadyP99', title: 'p99 before', unit: 'ms' },
    { name: 'p99Ratio', title: 'p99 meanwhile, by that before', unit: '×' },
  ],
  prepare,
};
