import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { ControllingTerminal } from './terminal.ts';

/** What a SIGHUP means. */
export type HangUp =
  /** Somebody has sent it on purpose. */
  | 'order'
  /** The terminal of this process is gone, and with it whoever sat there. */
  | 'terminal'
  /** The same, and this process was started so that it outlives that (nohup). */
  | 'outlived';

/**
 * How long a terminal may take to be gone after the signal has come, in milliseconds. A session leader that ends has the kernel
 * send it first and take the terminal away then (disassociate_ctty() of tty_jobctrl.c), and a shell that logs out tells its
 * jobs and ends then (`huponexit`, zsh): a moment either way. Nobody waits for it who is not at a terminal.
 */
const goingTime = 100;

/** How often it is asked meanwhile, in milliseconds. */
const goingInterval = 10;

/**
 * For how long the end of the terminal explains a signal, in milliseconds, and how often is looked whether it is still there: a
 * job that the shell was told to forget (`disown`) gets no signal as the terminal goes, and a later one is meant for it.
 */
const lossTime = 1_000;

/** Tells the hang-ups of a terminal from those that are orders. */
export class HangUps implements Disposable {
  readonly #terminal: ControllingTerminal;
  readonly #outlives: boolean;
  readonly #watch: NodeJS.Timeout;
  /** When the terminal was seen to be gone, in milliseconds of the monotonic clock. */
  #lostAt: number | null = null;

  /** Null where this process has no terminal, as a daemon has none: every hang-up is an order then. */
  static ofThisProcess(): HangUps | null {
    const terminal = ControllingTerminal.ofThisProcess();
    return terminal === null ? null : new HangUps(terminal, isByNohup());
  }

  constructor(terminal: ControllingTerminal, outlivesIt: boolean) {
    this.#terminal = terminal;
    this.#outlives = outlivesIt;
    this.#watch = setInterval(() => this.#look(), lossTime).unref();
  }

  /** What the signal that has just come means. */
  async meaning(): Promise<HangUp> {
    // There the one source of the signal is the console, closed, and the process has a few seconds left.
    if (process.platform === 'win32') return 'terminal';
    const until = performance.now() + goingTime;
    while (this.#look() && performance.now() < until) await delay(goingInterval);
    if (this.#lostAt === null || performance.now() - this.#lostAt >= lossTime) return 'order';
    return this.#outlives ? 'outlived' : 'terminal';
  }

  [Symbol.dispose](): void {
    clearInterval(this.#watch);
  }

  /** Whether the terminal is there; once it is gone it does not come back. */
  #look(): boolean {
    if (this.#lostAt !== null) return false;
    if (this.#terminal.stands()) return true;
    this.#lostAt = performance.now();
    clearInterval(this.#watch);
    return false;
  }
}

/** In proc_pid_fdinfo(5) octal; the lowest two bits are how a file was opened, and 1 is `O_WRONLY`. */
const accessMode = 0o3;
const writeOnly = 0o1;

/**
 * Whether this process, or one that has passed its streams on to it, was started by `nohup`. That ignores SIGHUP for what it
 * starts, and Node undoes it (measured: `nohup node` dies of the signal), so that the other traces have to do: nothing is
 * written to a terminal, and what cannot be read stands in for standard input, or the shell has said whom it starts.
 */
export function isByNohup(environment: NodeJS.ProcessEnv = process.env): boolean {
  if (isatty(1) || isatty(2)) return false;
  return environment._?.endsWith('/nohup') === true || isUnreadable(0);
}

function isUnreadable(fd: number): boolean {
  try {
    const [, flags = '0'] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? [];
    return (Number.parseInt(flags, 8) & accessMode) === writeOnly;
  } catch {
    return false;
  }
}
