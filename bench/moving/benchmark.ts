/** Established connections that go to the successor: how long it takes, what else is served meanwhile, what it costs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Benchmark, BenchmarkOptions, Measurement, Preparation } from '../comparison/benchmark.ts';
import { RunningProgram } from '../comparison/running-program.ts';
import { LoadClient } from '../load-client.ts';
import { IdleClients } from './idle-clients.ts';

const sizes = [100, 1000, 10_000];
const quickSizes = [100, 1000];

/** The other clients: few enough to leave the processors to what is measured. */
const others = { clients: 10, loop: { kind: 'closed', pause: 20 } } as const;

interface Told {
  readonly pid: number;
  /** Milliseconds on the clock that all processes share. */
  readonly at: number;
  readonly [detail: string]: number;
}

async function told(program: RunningProgram, event: string): Promise<Told> {
  const [line] = await program.line(new RegExp(`^\\{"event":"${event}".*`));
  return JSON.parse(line) as Told;
}

async function move(connections: number, folder: string): Promise<Measurement> {
  const program = new RunningProgram(
    process.execPath,
    ['--expose-gc', fileURLToPath(new URL('server.js', import.meta.url))],
    { PORT: '0', CONTROL: join(folder, 'control.sock') },
  );
  let clients: IdleClients | undefined;
  let load: LoadClient | undefined;
  try {
    const predecessor = await told(program, 'ready');
    const port = predecessor.port as number;
    clients = await IdleClients.connect(port, connections);
    load = new LoadClient({ ...others, target: `http://127.0.0.1:${port}/`, label: 'before' });
    load.start();
    program.signal('SIGUSR2', predecessor.pid);
    const watching = await told(program, 'watching');
    program.signal('SIGHUP', predecessor.pid);
    const successor = await told(program, 'ready');
    const commit = await told(program, 'commit');
    load.mark('moving');
    const moved = await told(program, 'moved');
    load.mark('after');
    program.signal('SIGUSR1', successor.pid);
    const settled = await told(program, 'settled');
    const report = await load.stop();
    const total = moved.at - commit.at;
    return {
      total,
      perSecond: ((moved.moved as number) / total) * 1000,
      blocked: moved.blocked as number,
      blockedSuccessor: settled.blocked as number,
      p99: report.phases.find(({ label }) => label === 'moving')?.latency.p99 ?? Number.NaN,
      lost: (await clients.lost()) + report.total.failed,
      memoryNew: (settled.memory as number) / connections / 1024,
      memoryOld: (watching.memory as number) / 1024 / 1024,
    };
  } finally {
    void load?.stop();
    clients?.close();
    await program.end();
  }
}

async function prepare({ quick }: BenchmarkOptions): Promise<Preparation> {
  const folder = mkdtempSync(join(tmpdir(), 'fd-handoff-bench-'));
  const cases = (quick ? quickSizes : sizes).map((size) => ({
    contender: 'fd-handoff',
    size,
    measure: () => move(size, folder),
  }));
  return { cases, absent: [], close: async () => rmSync(folder, { recursive: true, force: true }) };
}

export const moving: Benchmark = {
  name: 'moving',
  title: 'Moving idle keep-alive connections',
  sizeTitle: 'connections',
  metrics: [
    { name: 'total', title: 'all moved within', unit: 'ms' },
    { name: 'perSecond', title: 'connections', unit: '/s' },
    { name: 'blocked', title: 'event loop blocked at most, old process', unit: 'ms' },
    { name: 'blockedSuccessor', title: 'new process', unit: 'ms' },
    { name: 'p99', title: 'p99 of other requests meanwhile', unit: 'ms' },
    { name: 'lost', title: 'lost', unit: '' },
    { name: 'memoryNew', title: 'memory a connection, new process', unit: 'kB' },
    { name: 'memoryOld', title: 'memory of the old process', unit: 'MB' },
  ],
  prepare,
};
