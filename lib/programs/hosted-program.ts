import { setTimeout as delay } from 'node:timers/promises';
import { untilAborted } from '../channel/deadline.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import type { Exit } from '../process/start/child.ts';
import { findExecutable } from '../process/start/executable.ts';
import type { Dependant, DrainEnd, DrainOrder, Work } from '../servers/index.ts';
import type { NamedDescriptor } from '../transaction/manifest.ts';
import { type ProgramPlan, ProgramProcess } from './program-process.ts';

/** A program, and what this process has for it. */
export interface HostPlan extends Omit<ProgramPlan, 'listeners' | 'stderr'> {
  /** What of this process's it is to have; borrowed. */
  readonly choose: (descriptors: readonly NamedDescriptor[]) => readonly NamedDescriptor[];
  readonly descriptors: () => readonly NamedDescriptor[];
  readonly stderr: () => number;
}

/** What the program is doing. */
type Life =
  | { readonly is: 'stopped' }
  /** On its way to ready; whoever calls that off hears when it is gone. */
  | { readonly is: 'starting'; readonly callOff: AbortController; readonly over: Promise<unknown> }
  | { readonly is: 'serving'; readonly process: ProgramProcess };

/**
 * A program that knows nothing of this library, and serves with copies of what this process holds. Made by `program()`.
 */
export class HostedProgram implements Dependant {
  /**
   * Settles, and never rejects, with how the program ended, when it has ended without this process having told it to: what
   * it served is served by nobody, unless a predecessor still drains and serves again once this process dies.
   */
  readonly lost: Promise<Exit>;
  /** Which signal tells it to stop; may be changed until it is told. */
  stopSignal: NodeJS.Signals;
  readonly #plan: HostPlan;
  readonly #report: (error: Error) => void;
  #life: Life = { is: 'stopped' };
  /** Those that run, be they told to stop. */
  readonly #alive = new Set<ProgramProcess>();
  #lose: (exit: Exit) => void = () => {};
  #exit: Exit | null = null;

  /** @internal Use `program()`. */
  constructor(plan: HostPlan, report: (error: Error) => void) {
    this.#plan = plan;
    this.#report = report;
    this.stopSignal = plan.stopSignal;
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
  }

  /** The process id of the one that serves; null where none does. */
  get pid(): number | null {
    return this.#life.is === 'serving' ? this.#life.process.pid : null;
  }

  /** How the last one ended; null where none has. */
  get exit(): Exit | null {
    return this.#exit;
  }

  /** Sends a signal to the program itself, and not to what it has started; also to one that was told to stop. */
  signal(signal: NodeJS.Signals): void {
    for (const process of this.#alive) process.signal(signal);
  }

  /** @internal Starts it, and resolves when it is ready; rejects when it is not, and it is gone then. */
  async start(): Promise<void> {
    const { choose, descriptors, stderr, ...plan } = this.#plan;
    const callOff = new AbortController();
    const listeners = choose(descriptors());
    const starting = ProgramProcess.start({ ...plan, listeners, stderr: stderr() }, callOff.signal);
    this.#life = { is: 'starting', callOff, over: starting.catch(() => {}) };
    try {
      this.#serve(await starting);
    } catch (error) {
      this.#life = { is: 'stopped' };
      throw error;
    }
    if (callOff.signal.aborted) this.#stop();
  }

  /** @internal */
  get works(): readonly Work[] {
    return [...this.#alive].map(() => ({ kind: 'program' }));
  }

  /** @internal As far as a rehearsal may go. */
  rehearse(): this {
    try {
      findExecutable(this.#plan);
    } catch (error) {
      throw new HandoffError('ERR_HANDOFF_EXEC_FAILED', `There is no program ${this.#plan.command} to run.`, {
        cause: error,
      });
    }
    return this;
  }

  /** @internal */
  async drain({ countdown, onCutOff, cancel }: DrainOrder): Promise<DrainEnd> {
    const over = new AbortController();
    let forced = 0;
    const kill = () => {
      for (const process of this.#alive) process.kill();
      forced = this.#alive.size;
    };
    this.#stop();
    void delay(this.#plan.stopTimeout, undefined, { signal: over.signal }).then(kill, () => {});
    if (countdown.over.aborted) kill();
    countdown.over.addEventListener('abort', kill, { once: true, signal: over.signal });
    try {
      await untilAborted(this.#gone(), cancel);
      for (let one = 0; one < forced; one++) onCutOff?.('program');
      return { how: 'drained', counts: { moved: 0, drained: 0, forced } };
    } catch {
      return { how: 'cancelled' };
    } finally {
      over.abort();
    }
  }

  /**
   * @internal One that was told to stop stops, and cannot be told otherwise: another one is started beside it, with the same
   * listeners.
   */
  serveAgain(): void {
    if (this.#life.is !== 'stopped') return;
    this.start().catch((error: Error) => {
      this.#report(error);
      this.#lose(this.#exit ?? { code: 1, signal: null });
    });
  }

  /** @internal */
  letGo(): void {
    this.#stop();
  }

  #serve(process: ProgramProcess): void {
    this.#life = { is: 'serving', process };
    this.#alive.add(process);
    void process.exited.then((exit) => {
      this.#exit = exit;
      this.#alive.delete(process);
      if (this.#life.is !== 'serving' || this.#life.process !== process) return;
      this.#life = { is: 'stopped' };
      this.#lose(exit);
    });
  }

  #stop(): void {
    const life = this.#life;
    if (life.is === 'starting') {
      life.callOff.abort(
        new HandoffError('ERR_HANDOFF_ABORTED', 'The process that runs the program was told to stop.'),
      );
    }
    if (life.is !== 'serving') return;
    this.#life = { is: 'stopped' };
    life.process.signal(this.stopSignal);
  }

  /** Resolves when nothing of the program runs any more. */
  async #gone(): Promise<void> {
    if (this.#life.is === 'starting') await this.#life.over;
    await Promise.all([...this.#alive].map(({ exited }) => exited));
  }
}
