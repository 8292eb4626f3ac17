import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, on } from 'node:events';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isAlive, processesWith } from './processes.ts';

/** A line that a test program has told. */
export interface Told {
  readonly event: string;
  readonly pid: number;
  readonly [detail: string]: unknown;
}

/** How long any single event of a test may take. It ends a test that hangs; none is written to come near it. */
const deadline = 30_000;

/** In milliseconds. Who hangs or is stopped does not write; a busy machine takes a tenth of this. */
const countsDeadline = 1_000;

export const serverProgram = fileURLToPath(new URL('../e2e/programs/server.js', import.meta.url));

/**
 * A program that a test started, with everything that it and the successors that inherited its output have told. At the
 * end of the test all of them are killed by their pids.
 */
export class Program {
  static #count = 0;
  readonly child: ChildProcess;
  readonly told: Told[] = [];
  readonly pids = new Set<number>();
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stderr = '';
  readonly #news = new EventEmitter();
  /** What this program and the successors that inherit its environment have in that. */
  readonly #mark = `${process.pid}-${++Program.#count}`;
  #pending = '';

  /**
   * @param folder its working directory; `detached`: without this terminal, as a daemon; `stdin: 'pipe'`: the test types;
   *   `inherited`: what it has from descriptor 3 on
   */
  constructor(
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv,
    folder?: string,
    {
      detached = false,
      stdin = 'ignore',
      inherited = [],
    }: { detached?: boolean; stdin?: 'ignore' | 'pipe'; inherited?: readonly number[] } = {},
  ) {
    this.child = spawn(command, args, {
      env: { ...process.env, ...env, TEST_PROGRAM: this.#mark },
      stdio: [stdin, 'pipe', 'pipe', ...inherited],
      detached,
      ...(folder === undefined ? {} : { cwd: folder }),
    });
    if (this.child.pid !== undefined) this.pids.add(this.child.pid);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    process.once('exit', this.#killAll);
    this.exited = new Promise((resolve) => {
      this.child.once('exit', async (code, signal) => {
        // What it has written is in the pipes, and is read within the next turns. Their end may not come: a successor has them.
        for (let turns = 0; turns < 3; turns++) await turn();
        resolve({ code, signal });
        this.#news.emit('news');
      });
    });
  }

  /** Starts the end-to-end server; `env` says how it is to behave. */
  static server(env: NodeJS.ProcessEnv = {}, options: { detached?: boolean } = {}): Program {
    return new Program(process.execPath, ['--expose-gc', serverProgram], env, undefined, options);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** The first line that `matches`, told already or still to come. */
  async event(event: string, matches: (told: Told) => boolean = () => true): Promise<Told> {
    const found = () => this.told.find((told) => told.event === event && matches(told));
    const signal = AbortSignal.timeout(deadline);
    try {
      const already = found();
      if (already !== undefined) return already;
      for await (const _ of on(this.#news, 'news', { signal })) {
        const told = found();
        if (told !== undefined) return told;
      }
    } catch (error) {
      throw new Error(`no "${event}" came; told: ${JSON.stringify(this.told)}; standard error: ${this.stderr}`, {
        cause: error,
      });
    }
    throw new Error('unreachable: the events never end');
  }

  ready(generation: number): Promise<Told> {
    return this.event('ready', (told) => told.generation === generation);
  }

  signal(signal: NodeJS.Signals, pid = this.pid): void {
    process.kill(pid, signal);
  }

  /** Ends every process that has told something, and waits for the one that the test started. */
  async end(): Promise<void> {
    if (process.env.NODE_V8_COVERAGE !== undefined) await this.#writeCounts();
    this.#killAll();
    process.off('exit', this.#killAll);
    await this.exited;
    await this.#endUnheard();
  }

  /** A successor that was about to tell of itself would live on, and hold this program's output. */
  async #endUnheard(): Promise<void> {
    if (process.platform !== 'linux' || this.child.stdout?.closed !== false) return;
    const unheard = () => processesWith(`TEST_PROGRAM=${this.#mark}\0`);
    for (let left = unheard(); left.length > 0; left = unheard()) {
      for (const pid of left) this.#kill(pid);
      await turn();
    }
  }

  /** `npm run coverage:lib`: what each has run is written before it is killed (.ci/coverage-lib/every-process.cjs). */
  async #writeCounts(): Promise<void> {
    for (const pid of this.pids) this.#kill(pid, 'SIGXCPU');
    const until = performance.now() + countsDeadline;
    while (performance.now() < until && [...this.pids].some(isAlive)) await delay(10);
  }

  /** Also where a test ended by its time limit, and nobody disposes of anything. */
  readonly #killAll = () => {
    for (const pid of this.pids) this.#kill(pid);
  };

  #kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
    try {
      process.kill(pid, signal);
    } catch {
      // Gone already, as most are.
    }
  }

  #read(text: string): void {
    const lines = (this.#pending + text).split('\n');
    this.#pending = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('{')) continue;
      const told = JSON.parse(line) as Told;
      this.told.push(told);
      this.pids.add(told.pid);
    }
    this.#news.emit('news');
  }
}
