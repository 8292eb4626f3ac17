import { takeVariable } from '../process/start/environment.ts';
import type { NotifySocket } from './notify.ts';

/** How long the manager waits between two signs of life, in microseconds, and whose they have to be. sd_watchdog_enabled(3). */
export const watchdogVariable = 'WATCHDOG_USEC';
export const watchdogPidVariable = 'WATCHDOG_PID';

/**
 * Reads and removes what the manager wants of this process, in microseconds; null where it wants nothing, or wants it of
 * another process.
 */
export function takeWatchdogInterval(environment: NodeJS.ProcessEnv = process.env): number | null {
  const interval = takeVariable(environment, watchdogVariable);
  const pid = takeVariable(environment, watchdogPidVariable);
  if (interval === undefined || !/^[1-9]\d{0,15}$/.test(interval)) return null;
  return pid === undefined || pid === String(process.pid) ? Number(interval) : null;
}

/**
 * Signs of life, at half the interval as sd_watchdog_enabled(3) recommends. They come from the event loop, so that a
 * process whose loop hangs gives none: that is what they are for.
 */
export class Watchdog implements Disposable {
  readonly #socket: NotifySocket;
  readonly #interval: number;
  #timer: NodeJS.Timeout | null = null;

  /** @param interval in microseconds, as the manager gives it */
  constructor(socket: NotifySocket, interval: number) {
    this.#socket = socket;
    this.#interval = interval;
  }

  /** Gives a sign of life now, and from now on at half the interval. */
  start(): void {
    if (this.#timer !== null) return;
    this.ping();
    // A timer of Node's holds no more than 31 bits of milliseconds, and fires at once where it is given more.
    const half = Math.min(Math.max(1, Math.floor(this.#interval / 2_000)), 2 ** 31 - 1);
    this.#timer = setInterval(() => this.ping(), half);
    this.#timer.unref();
  }

  /** Gives one sign of life. */
  ping(): void {
    this.#socket.send({ WATCHDOG: 1 });
  }

  /** Gives no more. The manager ends the service after the interval, unless another process of it goes on. */
  [Symbol.dispose](): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}
