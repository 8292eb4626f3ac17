import { Countdown } from '../../servers/index.ts';

/** When the drain of this process has to be over: one at a time, and none is put off. */
export class DrainClock {
  #countdown = new Countdown(Number.POSITIVE_INFINITY);
  /** When the drain began, as `performance.now()` tells it. */
  #began = 0;
  /** When a stop wants this process to be gone; a later one may want it earlier, never later. */
  #stopBy = Number.POSITIVE_INFINITY;

  /** A drain begins that may take so many milliseconds; one before it has nothing to end any more. */
  begin(total: number): Countdown {
    this.#countdown[Symbol.dispose]();
    this.#countdown = new Countdown(total);
    this.#began = performance.now();
    return this.#countdown;
  }

  /** It has to be over within so many milliseconds from now, if it had not to be before that. */
  shorten(milliseconds: number): void {
    this.#countdown.shorten(milliseconds);
  }

  /** The same for a stop, which another drain goes by as well if this one is called off. */
  stopWithin(milliseconds: number): void {
    this.#stopBy = Math.min(performance.now() + milliseconds, this.#stopBy);
    this.#countdown.shorten(milliseconds);
  }

  /** What is left of the time that a stop has set, in milliseconds. */
  get leftOfStop(): number {
    return Math.max(0, this.#stopBy - performance.now());
  }

  /** How long the drain has taken, in milliseconds. */
  get elapsed(): number {
    return performance.now() - this.#began;
  }

  /** When the drain began, ISO 8601. */
  get since(): string | null {
    return dateOf(this.#began);
  }

  /** When it has to be over; null where it never has. */
  get until(): string | null {
    return dateOf(performance.now() + this.#countdown.left);
  }

  end(): void {
    this.#countdown[Symbol.dispose]();
  }
}

/** A moment of `performance.now()` as a date; null where it never comes. */
function dateOf(moment: number): string | null {
  return Number.isFinite(moment) ? new Date(performance.timeOrigin + moment).toISOString() : null;
}
