import { abortReason } from '../channel/deadline.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import type { Retirement } from '../transaction/successor.ts';
import { RestartPause } from './restart-pause.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Who has the seat. */
type Holder =
  | { readonly is: 'nobody' }
  | { readonly is: 'worker'; readonly worker: WorkerProcess }
  /** The last one was lost, and the next is on its way. */
  | { readonly is: 'awaited'; readonly callOff: AbortController };

/** One place in a pool: it is kept taken, by one worker after the other, until it is closed. */
export class WorkerSeat {
  readonly #start: (signal: AbortSignal) => Promise<WorkerProcess>;
  readonly #report: (error: Error) => void;
  readonly #pause = new RestartPause();
  /** Those that had the seat, and finish what they have. */
  readonly #leaving = new Set<WorkerProcess>();
  /** Starts under way: one that is called off ends its process first. */
  readonly #starts = new Set<Promise<unknown>>();
  #holder: Holder = { is: 'nobody' };

  /**
   * @param start starts a worker, and resolves when it is ready
   * @param report is told of a worker that was lost, and of one that could not be started in its place
   */
  constructor(start: (signal: AbortSignal) => Promise<WorkerProcess>, report: (error: Error) => void) {
    this.#start = start;
    this.#report = report;
  }

  /** The worker that has the seat; null while there is none. */
  get worker(): WorkerProcess | null {
    return this.#holder.is === 'worker' ? this.#holder.worker : null;
  }

  /** All whose process has not ended, be they leaving. */
  get alive(): readonly WorkerProcess[] {
    const { worker } = this;
    return worker === null ? [...this.#leaving] : [worker, ...this.#leaving];
  }

  /**
   * Gives the seat to a new worker once that is ready; the one before keeps it until then. Resolves with that, which serves
   * on until it is seen off; rejects with the failure of the new one, and then nothing has changed.
   */
  async renew(signal: AbortSignal): Promise<WorkerProcess | null> {
    const next = await this.#begin(signal);
    if (this.#holder.is === 'awaited') this.#holder.callOff.abort();
    const before = this.worker;
    this.#pause.reset();
    this.#seat(next);
    return before;
  }

  /** Tells a worker that has lost the seat to leave. Resolves when its process has ended: with whether in good order. */
  async seeOff(worker: WorkerProcess, retirement: Retirement): Promise<boolean> {
    this.#leaving.add(worker);
    const { code } = await worker.leave(retirement);
    this.#leaving.delete(worker);
    return code === 0;
  }

  /**
   * Leaves the seat to nobody. Everybody who is alive is told to leave; resolves when all have, with how many of them did
   * not end in good order.
   */
  async close(retirement: Retirement): Promise<number> {
    if (this.#holder.is === 'awaited') this.#holder.callOff.abort();
    const { alive } = this;
    this.#holder = { is: 'nobody' };
    const [orderly] = await Promise.all([
      Promise.all(alive.map((worker) => this.seeOff(worker, retirement))),
      Promise.allSettled(this.#starts),
    ]);
    return orderly.filter((inOrder) => !inOrder).length;
  }

  /** Takes `close` back: a new worker is started, and again where that fails. */
  reopen(): void {
    if (this.#holder.is === 'nobody') this.#await(0);
  }

  #seat(worker: WorkerProcess): void {
    this.#holder = { is: 'worker', worker };
    void worker.lost.then(async (loss) => {
      if (this.worker !== worker) return;
      const pause = this.#pause.after(worker.served);
      this.#await(pause);
      this.#leaving.add(worker);
      const { code, signal } = await worker.exited;
      this.#leaving.delete(worker);
      if (loss === 'leaves') return;
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      this.#report(
        new HandoffError(
          'ERR_HANDOFF_SUCCESSOR_EXITED',
          `The worker (process ${worker.pid}) exited ${how}. Another one is started in ${pause} ms.`,
        ),
      );
    });
  }

  #await(pause: number): void {
    const callOff = new AbortController();
    this.#holder = { is: 'awaited', callOff };
    void this.#startUntilReady(pause, callOff.signal);
  }

  async #startUntilReady(pause: number, signal: AbortSignal): Promise<void> {
    for (let wait = pause; ; wait = this.#pause.after(0)) {
      try {
        await pass(wait, signal);
        this.#seat(await this.#begin(signal));
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#report(error as Error);
      }
    }
  }

  /** Starts a worker, unless that is called off: then it is gone when this rejects. */
  async #begin(signal: AbortSignal): Promise<WorkerProcess> {
    const starting = this.#start(signal).then(async (worker) => {
      if (!signal.aborted) return worker;
      // Ready in the very moment in which it was called off.
      await this.seeOff(worker, { timeout: 0, idle: null });
      throw signal.reason;
    });
    this.#starts.add(starting);
    try {
      return await starting;
    } finally {
      this.#starts.delete(starting);
    }
  }
}

/** Resolves when so many milliseconds have passed; rejects when `signal` aborts before. */
function pass(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(abortReason(signal));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, milliseconds);
    signal.addEventListener('abort', abort, { once: true });
  });
}
