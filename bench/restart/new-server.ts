/**
 * What a new process of Node is worth in its first second, with no library, no process before it and nothing to take over:
 * no replacement by a new process can do better than that.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Measurement } from '../comparison/benchmark.ts';
import { RunningProgram } from '../comparison/running-program.ts';
import { freePort, serverProgram } from './service.ts';
import { type Durations, phase, startLoads } from './strict-load.ts';

export const newServer = 'a new server, nothing replaced';

/** How long clients have for their first request, which includes connecting, in milliseconds. It does not count. */
const connecting = 100;

export async function loadNewServer({ steady, replacement }: Durations): Promise<Measurement> {
  const port = await freePort();
  const program = new RunningProgram(process.execPath, [serverProgram('plain-server.js')], { PORT: String(port) });
  try {
    await program.ready();
    const loads = startLoads(port);
    await delay(connecting);
    loads.mark('new');
    await delay(replacement);
    loads.mark('warming');
    await delay(replacement);
    loads.mark('steady');
    await delay(steady);
    const [kept] = await loads.stop();
    const p99 = phase(kept, 'new').latency.p99;
    const steadyP99 = phase(kept, 'steady').latency.p99;
    return { p99, steadyP99, p99Ratio: p99 / steadyP99, longestGap: phase(kept, 'new').longestGap };
  } finally {
    await program.end();
  }
}
