import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { HandoffError } from '../../fd/handoff-error.ts';
import { standardError } from '../output/standard-output.ts';
import type { Start } from './start.ts';

/**
 * How long a child that has failed may take to leave after SIGTERM before it is killed. It has been told by ABORT, serves
 * nobody, and may hold copies of our listeners; what it still wants to do (write a log, close a database) is done in two
 * seconds, and one that hangs gains nothing from more.
 */
const terminationGrace = 2_000;

/** How much of a failed child's standard error is kept for the message: a stack trace or two. */
const stderrTailLength = 4 * 1024;

/**
 * How long a child that has failed by itself may take to exit by itself. It is writing its reason to standard error, which
 * is what the operator wants to read, and is done in milliseconds.
 */
const ownExitGrace = 500;

/** How the process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What messages call a child that this process has started, and who serves where it fails. */
export interface Part {
  readonly name: string;
  readonly others: string;
}

/**
 * The process group that a child was started in. With its `own` (`detached`), what it has started ends with it, and the
 * signals of a terminal or a supervisor to the group of this process do not reach it.
 */
export type Group = 'of its parent' | 'own';

/** A process that this one has spawned, up to its end. */
export class Child {
  readonly pid: number;
  /** Settles, and never rejects, when the child has exited and its standard error is read. */
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  readonly #stderr: StderrTail;
  readonly #group: Group;

  private constructor(child: ChildProcess, pid: number, stderr: StderrTail, group: Group) {
    this.#process = child;
    this.pid = pid;
    this.#stderr = stderr;
    this.#group = group;
    this.exited = new Promise((resolve) => {
      // 'close' comes after 'exit' and after the end of standard error. A grandchild can hold that open for good, so the
      // exit alone has to do after a moment; what the child itself wrote is in the pipe by then.
      child.once('exit', (code, signal) => {
        if (group === 'own') signalGroup(pid, 'SIGKILL');
        const exit: Exit = { code, signal };
        const enough = setTimeout(resolve, 200, exit);
        void Promise.all([once(child, 'close'), stderr.ended]).then(() => {
          clearTimeout(enough);
          resolve(exit);
        });
      });
    });
  }

  /**
   * One that was just started; rejects with what spawn(2) says where there was nothing to start.
   *
   * @param stderr its standard error, where that is not the one of `child`; taken over
   */
  static async of(
    child: ChildProcess,
    group: Group = 'of its parent',
    stderr: Socket | null = child.stderr as Socket | null,
  ): Promise<Child> {
    // Besides a failed start this tells of a signal that could not be sent, to a child that has become another user.
    child.on('error', () => {});
    const tail = new StderrTail(stderr);
    try {
      // Either is told in the next tick: there is nothing to wait for with a deadline.
      await started(child);
    } catch (error) {
      tail.stop();
      throw error;
    }
    return new Child(child, child.pid as number, tail, group);
  }

  /** The end of what it has written to standard error so far; empty where that is not captured. */
  get stderr(): string {
    return this.#stderr.text.trimEnd();
  }

  /** Lets it go on by itself: this process may leave before it. */
  detach(): void {
    this.#stderr.detach();
    this.#process.unref();
  }

  /** Whether all of its standard error is read: nobody has it any more. */
  get isReadToTheEnd(): boolean {
    return this.#stderr.isAtEnd;
  }

  /** Reads no more of its standard error: somebody else does. */
  stopReading(): void {
    this.#stderr.stop();
  }

  /** Sends a signal to it alone, except SIGKILL, which goes to its whole group where it has its own. */
  signal(signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL') this.#signal(signal);
    else this.#process.kill(signal);
  }

  /**
   * Ends it, and waits until it is gone, so that neither a zombie nor a listener is left.
   *
   * @param hangs it is known not to leave by itself
   */
  async terminate({ hangs }: { hangs: boolean }): Promise<Exit> {
    const timers = [
      setTimeout(() => this.#signal('SIGTERM'), hangs ? 0 : ownExitGrace),
      // A stopped process does not act on SIGTERM.
      setTimeout(() => this.#signal('SIGKILL'), terminationGrace),
    ];
    try {
      return await this.exited;
    } finally {
      for (const timer of timers) clearTimeout(timer);
    }
  }

  #signal(signal: NodeJS.Signals): void {
    const lives = this.#process.exitCode === null && this.#process.signalCode === null;
    if (this.#group === 'own' && lives) signalGroup(this.pid, signal);
    else this.#process.kill(signal);
  }
}

/** Says what could not be started, and where: spawn() reports a missing working directory as a missing program. */
export function notStarted(
  { name, others }: Part,
  error: unknown,
  { command, cwd }: Pick<Start, 'command' | 'cwd'>,
): HandoffError {
  const rest = others.replace(/^./, (letter) => letter.toUpperCase());
  return new HandoffError(
    'ERR_HANDOFF_EXEC_FAILED',
    `The ${name} could not be started: ${(error as Error).message} (program ${command}, working directory ${cwd}). ${rest}.`,
    { cause: error },
  );
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}

function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // Nobody is left in it.
  }
}

/** Keeps the end of a child's standard error, and passes all of it on to our own. */
class StderrTail {
  readonly #stream: Socket | null;
  /** Settles, and never rejects, when nothing more comes. */
  readonly ended: Promise<unknown>;
  #tail = '';

  constructor(stream: Socket | null) {
    this.#stream = stream;
    this.ended = stream === null ? Promise.resolve() : new Promise((resolve) => stream.once('close', resolve));
    // A reset, say, by a process that was killed: nothing more comes.
    stream?.on('error', () => {});
    stream?.setEncoding('utf8').on('data', (text: string) => {
      standardError.write(text);
      this.#tail = (this.#tail + text).slice(-stderrTailLength);
    });
  }

  get isAtEnd(): boolean {
    return this.#stream === null || this.#stream.closed;
  }

  get text(): string {
    return this.#tail;
  }

  /** The pipe lives until the last holder closes it, but nobody waits for that. */
  detach(): void {
    this.#stream?.unref();
  }

  stop(): void {
    this.#stream?.destroy();
  }
}
