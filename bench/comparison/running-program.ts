/** A program that was started here, followed by the lines that it and those who inherit its output print. */
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, on } from 'node:events';
import { createInterface } from 'node:readline';

/** How long any line may be waited for, in milliseconds. It ends what hangs; the slowest peer takes a tenth of it. */
const lineDeadline = 30_000;

/** How much of what it says on standard error is kept for the message of a failure. */
const errorOutputLimit = 4096;

export class RunningProgram {
  readonly #child: ChildProcess;
  readonly #news = new EventEmitter();
  readonly #pids = new Set<number>();
  /** What was printed and not asked for yet. */
  readonly #lines: string[] = [];
  #errorOutput = '';
  #ended = false;
  /** Settles, and never rejects, when it has ended and nobody holds its output any more. */
  readonly closed: Promise<void>;

  constructor(command: string, commandArguments: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(command, [...commandArguments], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C is for the benchmark, which ends what it has started.
      detached: true,
    });
    const { stdout, stderr, pid } = this.#child;
    if (pid !== undefined) this.#pids.add(pid);
    if (stdout !== null) createInterface({ input: stdout }).on('line', (line) => this.#read(line));
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errorOutput = (this.#errorOutput + text).slice(-errorOutputLimit);
    });
    this.#child.on('error', (error) => {
      this.#errorOutput += error.message;
    });
    this.closed = new Promise((resolve) => {
      this.#child.on('close', () => {
        this.#ended = true;
        this.#news.emit('news');
        resolve();
      });
    });
    process.once('exit', this.#kill);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  signal(signal: NodeJS.Signals, pid = this.pid): void {
    process.kill(pid, signal);
  }

  /** The next line that matches, each given once: what two processes print comes in any order. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    const timeout = AbortSignal.timeout(lineDeadline);
    const news = on(this.#news, 'news', { signal: timeout });
    try {
      for (;;) {
        for (const [index, line] of this.#lines.entries()) {
          const match = pattern.exec(line);
          if (match === null) continue;
          this.#lines.splice(index, 1);
          return match;
        }
        if (this.#ended) throw new Error('it ended');
        await news.next();
      }
    } catch (error) {
      const said = this.#errorOutput.trim();
      throw new Error(`no line like ${pattern} came: ${(error as Error).message}${said === '' ? '' : `; ${said}`}`);
    } finally {
      await news.return?.();
    }
  }

  /** The pid in a line of the form `ready pid=<pid> …`, the next that comes. */
  async ready(): Promise<number> {
    return Number((await this.line(/^ready pid=(\d+)/))[1]);
  }

  /** Kills it, every process that has told its pid and is still there, and `others`, which hold its output as well. */
  async end(others: readonly number[] = []): Promise<void> {
    process.off('exit', this.#kill);
    for (const pid of others) this.#pids.add(pid);
    this.#kill();
    await this.closed;
  }

  readonly #kill = () => {
    for (const pid of this.#pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone already.
      }
    }
  };

  #read(line: string): void {
    const [, word, pid] = /^(?:\{"event":")?(ready|gone)(?: pid=|","pid":)(\d+)/.exec(line) ?? [];
    // A number that was given up may be somebody else's by the end.
    if (word === 'ready') this.#pids.add(Number(pid));
    if (word === 'gone') this.#pids.delete(Number(pid));
    this.#lines.push(line);
    this.#news.emit('news');
  }
}
