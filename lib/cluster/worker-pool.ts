import { untilAborted } from '../channel/deadline.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import type { Dependant, DrainEnd, DrainOrder, Work } from '../servers/index.ts';
import type { Retirement } from '../transaction/successor.ts';
import { type WorkerPlan, WorkerProcess } from './worker-process.ts';
import { WorkerSeat } from './worker-seat.ts';

/** What a pool is made from. */
export interface PoolPlan extends WorkerPlan {
  readonly count: number;
  /** How long a worker may take to leave while others serve, in milliseconds. */
  readonly drainTimeout: number;
  /** The same where the pool was for nothing: the start fails as a whole, and somebody waits to hear of it. */
  readonly retreatTimeout: number;
}

/** What the pool is doing; every attempt that is under way ends when `closing` aborts. */
type Service =
  | { readonly is: 'serving' | 'rolling'; readonly closing: AbortController }
  /** Drained, or about to be. */
  | { readonly is: 'closed' };

/**
 * The workers that the primary of a cluster has forked with copies of its listeners. One that is lost is replaced, after
 * a pause that grows while that fails. Made by `workers()`.
 */
export class WorkerPool implements Dependant {
  readonly #drainTimeout: number;
  readonly #retreatTimeout: number;
  readonly #seats: readonly WorkerSeat[];
  #service: Service = { is: 'serving', closing: new AbortController() };

  /** @internal Use `workers()`. */
  constructor(plan: PoolPlan, report: (error: Error) => void) {
    this.#drainTimeout = plan.drainTimeout;
    this.#retreatTimeout = plan.retreatTimeout;
    this.#seats = Array.from(
      { length: plan.count },
      () => new WorkerSeat((signal) => WorkerProcess.start(plan, signal), report),
    );
  }

  /** The process ids of the workers that serve, those that are leaving left out. */
  get pids(): readonly number[] {
    return this.#seats.flatMap(({ worker }) => worker?.pid ?? []);
  }

  /** @internal Starts all workers, and resolves when they are ready. If one fails all are ended, and this rejects. */
  async start(): Promise<void> {
    const signal = this.#enter('serving');
    const starts = this.#seats.map((seat) => seat.renew(signal));
    try {
      await Promise.all(starts);
    } catch (error) {
      this.#close(new HandoffError('ERR_HANDOFF_ABORTED', 'Another worker could not be started.'));
      await Promise.allSettled(starts);
      await this.#leave({ timeout: this.#retreatTimeout, idle: null });
      throw error;
    }
  }

  /**
   * Replaces the workers one by one by new ones of the version that is on the disk now: each new one is ready before the
   * old one is told to leave, and the next is begun when that has left. So there are never fewer than `count` that accept,
   * and never more than one process more. Resolves when all are new.
   *
   * @throws ERR_HANDOFF_SUCCESSOR_EXITED (a `SuccessorError`), ERR_HANDOFF_TIMEOUT and others when a new worker fails: the
   *   roll ends there, with as many workers as before; ERR_HANDOFF_BUSY while the pool rolls already;
   *   ERR_HANDOFF_ABORTED when the primary leaves meanwhile, ERR_HANDOFF_NOT_READY when it has
   */
  async roll(): Promise<void> {
    if (this.#service.is === 'rolling') {
      throw new HandoffError(
        'ERR_HANDOFF_BUSY',
        'The workers are being replaced already: try again when that is done.',
      );
    }
    const signal = this.#enter('rolling');
    try {
      for (const seat of this.#seats) {
        const before = await seat.renew(signal);
        if (before !== null) await seat.seeOff(before, { timeout: this.#drainTimeout, idle: null });
        if (signal.aborted) throw signal.reason;
      }
    } finally {
      if (!signal.aborted) this.#enter('serving');
    }
  }

  /** @internal */
  async drain({ limits, countdown, onCutOff, cancel }: DrainOrder): Promise<DrainEnd> {
    this.#close(new HandoffError('ERR_HANDOFF_ABORTED', 'The primary is leaving, and its workers with it.'));
    const idle = Number.isFinite(limits.idle) ? limits.idle : null;
    const ended = new AbortController();
    let leaving: Promise<number> = Promise.resolve(0);
    const leave = (left: number) => {
      leaving = this.#leave({ timeout: Math.ceil(Math.min(this.#drainTimeout, left)), idle });
    };
    countdown.watch(leave, ended.signal);
    // They end by themselves when that is over, unless this process is told to stop in a hurry.
    countdown.over.addEventListener('abort', () => leave(0), { once: true, signal: ended.signal });
    try {
      const forced = await untilAborted(leaving, cancel);
      for (let one = 0; one < forced; one++) onCutOff?.('worker');
      return { how: 'drained', counts: { moved: 0, drained: 0, forced } };
    } catch {
      return { how: 'cancelled' };
    } finally {
      ended.abort();
    }
  }

  /** @internal */
  get works(): readonly Work[] {
    return this.#seats.flatMap(({ alive }) => alive.map(() => ({ kind: 'worker' })));
  }

  /** @internal */
  serveAgain(): void {
    if (this.#service.is !== 'closed') return;
    this.#service = { is: 'serving', closing: new AbortController() };
    for (const seat of this.#seats) seat.reopen();
  }

  /** @internal */
  letGo(): void {
    this.#close(new HandoffError('ERR_HANDOFF_ABORTED', 'The primary lets go of its listeners.'));
    void this.#leave({ timeout: this.#retreatTimeout, idle: null });
  }

  /** Returns what aborts when the pool closes. */
  #enter(is: 'serving' | 'rolling'): AbortSignal {
    if (this.#service.is === 'closed') {
      throw new HandoffError('ERR_HANDOFF_NOT_READY', 'The workers have left, or are leaving, with their primary.');
    }
    const { closing } = this.#service;
    this.#service = { is, closing };
    return closing.signal;
  }

  #close(reason: HandoffError): void {
    if (this.#service.is !== 'closed') this.#service.closing.abort(reason);
    this.#service = { is: 'closed' };
  }

  /** Resolves when all have left, with how many of them did not in good order. */
  async #leave(retirement: Retirement): Promise<number> {
    const unorderly = await Promise.all(this.#seats.map((seat) => seat.close(retirement)));
    return unorderly.reduce((sum, count) => sum + count, 0);
  }
}
