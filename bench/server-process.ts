/**
 * A server in several generations: starts the program, and follows its successors by the lines that all of them print on
 * the output they inherit.
 *
 * ```text
 * ready pid=<pid> generation=<n> port=<port>     it serves
 * draining pid=<pid>                             its successor has taken over
 * gone pid=<pid>                                 it is about to leave
 * ```
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

export type GenerationState = 'serving' | 'draining' | 'gone';

/** One process that has announced itself as ready. */
export interface Generation {
  readonly pid: number;
  readonly generation: number;
  readonly port: number;
  readonly state: GenerationState;
}

export interface ServerOptions {
  /** The JavaScript file to run. */
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
}

interface ServerEvents {
  /** A generation appeared, or its state changed. */
  change: [generation: Generation];
  /** A process that was started here ended, in whatever way. */
  ended: [pid: number | undefined, how: string, clean: boolean];
}

/** How long processes that were asked to end may take before they are killed. */
const END_DEADLINE = 5_000;

/** How long a successor that is on its way is waited for before its predecessor is ended. */
const ARRIVAL_DEADLINE = 3_000;

/** How long to wait for what a process that has ended had written on standard error. */
const LAST_WORDS_DEADLINE = 200;

/** How much of what the servers say on standard error is kept for the message of a failure. */
const ERROR_OUTPUT_LIMIT = 8_192;

const READY = /^ready pid=(\d+) generation=(\d+) port=(\d+)$/;
const LEAVING = /^(draining|gone) pid=(\d+)$/;

/** A server did not do what it should; the message has what it wrote on standard error. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
}

export class ServerProcesses extends EventEmitter<ServerEvents> {
  readonly #options: ServerOptions;
  /** Those that were started here and have not ended, with their output still open. */
  readonly #children = new Set<ChildProcess>();
  readonly #generations = new Map<number, Generation>();
  #current: Generation | undefined;
  #errorOutput = '';
  /** A replacement has begun, and its waiting was given up: a process may come that has not announced itself yet. */
  #unfinished = false;
  /** Set once all are to end: what is sent to a successor that announces itself only then. */
  #farewell: 'SIGTERM' | 'SIGKILL' | undefined;

  constructor(options: ServerOptions) {
    super();
    this.#options = options;
  }

  /** All that have announced themselves, in that order. */
  get generations(): readonly Generation[] {
    return [...this.#generations.values()];
  }

  /** Starts the program once more. */
  spawn(): void {
    const { program, environment } = this.#options;
    const child = spawn(process.execPath, [program], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C in the terminal is for the caller, which ends the load before it ends the servers.
      detached: true,
    });
    this.#children.add(child);
    createInterface({ input: child.stdout }).on('line', (line) => this.#line(line));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errorOutput = (this.#errorOutput + text).slice(-ERROR_OUTPUT_LIMIT);
    });
    child.on('error', (error) => this.emit('ended', child.pid, error.message, false));
    child.on('exit', async (code, signal) => {
      const generation = this.#generations.get(child.pid ?? -1);
      if (generation) this.#change({ ...generation, state: 'gone' });
      // Its last words may still be on their way. They have an end only if no successor holds the same output.
      if (!child.stderr.readableEnded) await settledWithin(once(child.stderr, 'end'), LAST_WORDS_DEADLINE);
      this.emit('ended', child.pid, signal === null ? `code ${code}` : signal, code === 0);
    });
    // Comes once every process that inherited the output has closed it: then no successor is left either.
    child.on('close', () => this.#children.delete(child));
  }

  /** Asks the process that serves now to replace itself; returns its pid. */
  signal(signal: NodeJS.Signals): number {
    if (!this.#current) throw new ServerError(`no server to send ${signal} to`);
    const { pid } = this.#current;
    if (!sendSignal(pid, signal)) throw this.#error(`the server, pid ${pid}, is not there any more`);
    return pid;
  }

  /** Does what brings the next generation, and waits until that one is ready. */
  next(begin: () => void, deadline: number, signal: AbortSignal): Promise<Generation> {
    const before = this.#current?.pid;
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        this.off('change', changed);
        this.off('ended', ended);
        signal.removeEventListener('abort', aborted);
        settle();
      };
      const changed = (generation: Generation) => {
        if (generation.state === 'serving' && generation.pid !== before) finish(() => resolve(generation));
      };
      const ended = (pid: number | undefined, how: string, clean: boolean) => {
        // A program that was started and ended without complaint may have left the serving to another process, and the one
        // before is to leave: the ready line, or the deadline, decides.
        if (!clean) finish(() => reject(this.#error(`the server process ${pid ?? 'that was started'} ended: ${how}`)));
      };
      const aborted = () => {
        this.#unfinished = true;
        finish(() => reject(signal.reason));
      };
      const timer = setTimeout(() => {
        finish(() => reject(this.#error(`no new server process was ready within ${deadline / 1000} s`)));
      }, deadline);
      this.on('change', changed);
      this.on('ended', ended);
      try {
        signal.throwIfAborted();
        signal.addEventListener('abort', aborted);
        begin();
      } catch (error) {
        finish(() => reject(error));
      }
    });
  }

  /**
   * Ends every process that was started here or has announced itself, and waits until they are gone. Throws if one that
   * never announced itself still holds the output, as it cannot be known which it is.
   */
  async close(): Promise<void> {
    const closed = Promise.all([...this.#children].map((child) => once(child, 'close')));
    // A successor whose predecessor is ended in the middle of a handoff has nobody left to tell, and cannot be told.
    if (this.#unfinished) await settledWithin(Promise.race([closed, this.#arrival()]), ARRIVAL_DEADLINE);
    this.#farewell ??= 'SIGTERM';
    for (const pid of this.#alive()) sendSignal(pid, 'SIGTERM');
    if (!(await settledWithin(closed, END_DEADLINE))) {
      this.kill();
      if (!(await settledWithin(closed, END_DEADLINE))) {
        for (const child of this.#children) child.stdout?.destroy();
        for (const child of this.#children) child.stderr?.destroy();
        throw this.#error('a successor that never announced itself is still running');
      }
    }
    for (const generation of this.generations) this.#change({ ...generation, state: 'gone' });
  }

  /** Kills what is left, at once. */
  kill(): void {
    this.#farewell = 'SIGKILL';
    // As long as the output is open somebody holds it, and that may be one that said it was about to leave.
    const pids = this.#children.size > 0 ? [...this.#alive(), ...this.#generations.keys()] : [];
    for (const pid of new Set(pids)) sendSignal(pid, 'SIGKILL');
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.on('change', ({ state }) => state === 'serving' && resolve());
    });
  }

  #alive(): number[] {
    const started = [...this.#children].filter((child) => child.exitCode === null && child.signalCode === null);
    const announced = this.generations.filter(({ state }) => state !== 'gone');
    return [...new Set([...started.flatMap(({ pid }) => pid ?? []), ...announced.map(({ pid }) => pid)])];
  }

  #line(line: string): void {
    const ready = READY.exec(line);
    if (ready) {
      const [pid, generation, port] = ready.slice(1).map(Number) as [number, number, number];
      this.#change({ pid, generation, port, state: 'serving' });
      if (this.#farewell) sendSignal(pid, this.#farewell);
      return;
    }
    const leaving = LEAVING.exec(line);
    const generation = this.#generations.get(Number(leaving?.[2]));
    if (leaving && generation && generation.state !== 'gone') {
      this.#change({ ...generation, state: leaving[1] === 'gone' ? 'gone' : 'draining' });
    }
  }

  #change(generation: Generation): void {
    // A process that says that it leaves also ends: one change, told twice.
    if (this.#generations.get(generation.pid)?.state === generation.state) return;
    this.#generations.set(generation.pid, generation);
    if (generation.state === 'serving') this.#unfinished = false;
    if (generation.state === 'serving') this.#current = generation;
    else if (this.#current?.pid === generation.pid) this.#current = generation;
    this.emit('change', generation);
  }

  #error(message: string): ServerError {
    const said = this.#errorOutput.trim();
    return new ServerError(said === '' ? message : `${message}\nIt wrote on standard error:\n${said}`);
  }
}

/** False if there is no such process. */
function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

async function settledWithin(promise: Promise<unknown>, deadline: number): Promise<boolean> {
  const timer = new AbortController();
  try {
    return await Promise.race([promise.then(() => true), delay(deadline, false, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}
