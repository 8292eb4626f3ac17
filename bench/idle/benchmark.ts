/**
 * What the library costs when nothing happens: a server with an adopted listener beside one of Node's own. They are loaded
 * in turns of a fraction of a second, so that a slow moment of the machine hits both.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Benchmark, BenchmarkOptions, Measurement, Preparation } from '../comparison/benchmark.ts';
import { RunningProgram } from '../comparison/running-program.ts';
import { median } from '../comparison/statistics.ts';
import { LoadClient } from '../load-client.ts';

/** Connections that ask again as soon as they are answered. */
const clients = 32;

interface Amounts {
  /** How long one turn lasts, in milliseconds, and how many each server has in a round. */
  readonly turn: number;
  readonly turns: number;
  /** How often each server is started in a round. */
  readonly starts: number;
}

const amounts: Amounts = { turn: 500, turns: 8, starts: 10 };
const quickAmounts: Amounts = { turn: 100, turns: 2, starts: 2 };

type Kind = 'plain' | 'adopted';

function program(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

interface Used {
  readonly microseconds: number;
  readonly memory: number;
}

/** A server that is loaded and left alone by turns. */
class LoadedServer {
  readonly #program: RunningProgram;
  readonly #port: number;
  readonly #pid: number;

  private constructor(running: RunningProgram, pid: number, port: number) {
    this.#program = running;
    this.#pid = pid;
    this.#port = port;
  }

  static async start(file: string, environment: NodeJS.ProcessEnv = {}): Promise<LoadedServer> {
    const running = new RunningProgram(process.execPath, [program(file)], environment);
    const [, pid, port] = await running.line(/^ready pid=(\d+) port=(\d+)/);
    return new LoadedServer(running, Number(pid), Number(port));
  }

  async used(): Promise<Used> {
    this.#program.signal('SIGUSR2', this.#pid);
    return JSON.parse((await this.#program.line(/^\{"event":"used".*/))[0]) as Used;
  }

  async load(milliseconds: number): Promise<Measurement> {
    const load = new LoadClient({ target: `http://127.0.0.1:${this.#port}/`, clients });
    const before = await this.used();
    load.start();
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    const { total } = await load.stop();
    const after = await this.used();
    if (total.failed > 0) throw new Error(`${total.failed} requests failed`);
    return {
      perSecond: (total.requests / total.duration) * 1000,
      p50: total.latency.p50,
      p99: total.latency.p99,
      processor: (after.microseconds - before.microseconds) / total.requests,
      memory: after.memory / 1024 / 1024,
    };
  }

  end(): Promise<void> {
    return this.#program.end();
  }
}

/** Turns of both, one after the other; the medians of each, given to whom the rounds ask. */
class Turns {
  readonly #servers: Readonly<Record<Kind, LoadedServer>>;
  readonly #amounts: Amounts;
  readonly #folder: string;
  #pending: Partial<Record<Kind, Measurement>> = {};

  constructor(servers: Readonly<Record<Kind, LoadedServer>>, amountsOfRound: Amounts, folder: string) {
    this.#servers = servers;
    this.#amounts = amountsOfRound;
    this.#folder = folder;
  }

  /** The round's measurement of one of them: whoever is asked first brings that of the other along. */
  async of(kind: Kind): Promise<Measurement> {
    if (this.#pending[kind] === undefined) this.#pending = await this.#take();
    const { [kind]: measurement, ...rest } = this.#pending;
    this.#pending = rest;
    return measurement as Measurement;
  }

  async #take(): Promise<Record<Kind, Measurement>> {
    const taken: Record<Kind, Measurement[]> = { plain: [], adopted: [] };
    const { turn, turns, starts } = this.#amounts;
    for (let count = 0; count < turns; count++) {
      const order: readonly Kind[] = count % 2 === 0 ? ['plain', 'adopted'] : ['adopted', 'plain'];
      for (const kind of order) taken[kind].push(await this.#servers[kind].load(turn));
    }
    const startUp: Record<Kind, number[]> = { plain: [], adopted: [] };
    for (let count = 0; count < starts; count++) {
      startUp.plain.push(await timeOfStart('plain-server.js'));
      startUp.adopted.push(await timeOfStart('handoff-server.js', { CONTROL: join(this.#folder, 'start.sock') }));
    }
    return {
      plain: { ...medians(taken.plain), startUp: median(startUp.plain) },
      adopted: { ...medians(taken.adopted), startUp: median(startUp.adopted), installed: installedSize() },
    };
  }
}

async function timeOfStart(file: string, environment: NodeJS.ProcessEnv = {}): Promise<number> {
  const begun = performance.now();
  const server = await LoadedServer.start(file, environment);
  const took = performance.now() - begun;
  await server.end();
  return took;
}

function medians(measurements: readonly Measurement[]): Measurement {
  const names = Object.keys(measurements[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(measurements.flatMap((each) => each[name] ?? []))]));
}

/** What npm unpacks for a user: the package itself and its one dependency, in kilobytes. */
function installedSize(): number {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ unpackedSize }] = JSON.parse(output) as [{ unpackedSize: number }];
  const dependency = join(root, 'node_modules', 'node-gyp-build');
  const files = [
    'bin.js',
    'build-test.js',
    'index.js',
    'node-gyp-build.js',
    'optional.js',
    'package.json',
    'LICENSE',
    'README.md',
  ];
  const size = (name: string) => statSync(join(dependency, name), { throwIfNoEntry: false })?.size ?? 0;
  return (unpackedSize + files.reduce((sum, name) => sum + size(name), 0)) / 1024;
}

async function prepare({ quick }: BenchmarkOptions): Promise<Preparation> {
  const folder = mkdtempSync(join(tmpdir(), 'fd-handoff-bench-'));
  const environment = { CONTROL: join(folder, 'control.sock') };
  const plain = await LoadedServer.start('plain-server.js');
  const predecessor = await LoadedServer.start('handoff-server.js', environment);
  const adopted = await LoadedServer.start('handoff-server.js', environment);
  const turns = new Turns({ plain, adopted }, quick ? quickAmounts : amounts, folder);
  return {
    cases: [
      { contender: 'server.listen()', size: null, measure: () => turns.of('plain') },
      { contender: 'adopted listener', size: null, measure: () => turns.of('adopted') },
    ],
    absent: [],
    async close() {
      await Promise.all([plain, predecessor, adopted].map((server) => server.end()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const idle: Benchmark = {
  name: 'idle',
  title: 'What it costs when nothing happens',
  metrics: [
    { name: 'perSecond', title: 'requests', unit: '/s' },
    { name: 'p50', title: 'p50', unit: 'ms' },
    { name: 'p99', title: 'p99', unit: 'ms' },
    { name: 'processor', title: 'processor time a request', unit: 'µs' },
    { name: 'memory', title: 'memory', unit: 'MB' },
    { name: 'startUp', title: 'from the start to ready', unit: 'ms' },
    { name: 'installed', title: 'installed', unit: 'kB' },
  ],
  prepare,
};
