import { batchLimit } from '../channel/channel.ts';

/**
 * How many connections a successor is given first. It has compiled little of what serves a request: each takes it ten to
 * thirty times as long as a later one, and whatever it has been given waits behind. With 64 at first the slowest request
 * of a handoff under load waited for 18 ms, with 4 for 12.
 */
const firstBatch = 4;

/**
 * An answer within so many milliseconds says that the successor has nothing to catch up on. A warm one takes 1.7 ms to
 * adopt the largest batch, and answers for the next one when that is done.
 */
const prompt = 2;

/** An answer after so many milliseconds says that it has: it served requests before it came to the batch. */
const late = 4;

/**
 * How many connections leave at a time: few at first, twice as many when the successor answers promptly, half when it is
 * late. What has not left is served here meanwhile, by code that is warm.
 */
export class Pace {
  #size = firstBatch;

  get batchSize(): number {
    return this.#size;
  }

  /** The successor has taken a batch, after so many milliseconds. */
  answered(milliseconds: number): void {
    if (milliseconds < prompt) this.#size = Math.min(2 * this.#size, batchLimit);
    else if (milliseconds > late) this.#size = Math.max(this.#size / 2, firstBatch);
  }
}
