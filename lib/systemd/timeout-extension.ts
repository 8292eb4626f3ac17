import type { NotifySocket } from './notify.ts';

/**
 * How often the manager is asked for more time, and for how much, in milliseconds. Two requests may come late before the
 * manager's patience ends; a process whose event loop hangs makes none, and has its end within a quarter of a minute.
 */
const interval = 5_000;
const extension = 15_000;

/** The assignment that asks for it. It matters only where the unit's own timeout would end sooner. sd_notify(3). */
export const moreTime = { EXTEND_TIMEOUT_USEC: extension * 1_000 } as const;

/** Asks the manager for time, again and again, while something takes long that has a deadline of its own here. */
export class TimeoutExtension implements Disposable {
  readonly #socket: NotifySocket;
  #timer: NodeJS.Timeout | null = null;

  constructor(socket: NotifySocket) {
    this.#socket = socket;
  }

  /**
   * Asks from the next interval on: the first time goes with the message that says what takes long.
   *
   * @param limit how long to go on at most, in milliseconds
   */
  start(limit = Number.POSITIVE_INFINITY): void {
    this.stop();
    const end = performance.now() + limit;
    this.#timer = setInterval(() => {
      if (performance.now() < end) this.#socket.send(moreTime);
      else this.stop();
    }, interval);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}
