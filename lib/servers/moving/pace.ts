import { batchLimit } from '../../channel/channel.ts';

/**
 * How many connections a successor is given first. It has compiled little of what serves a request: each takes it ten to
 * thirty times as long as a later one, and whatever it has been given waits behind. With 64 at first the slowest request
 * of a handoff under load waited for 23 ms, with 4 for 16.
 */
const firstBatch = 4;

/**
 * An answer within so many milliseconds says that the successor has nothing to catch up on. A warm one takes 1.7 ms to
 * adopt the largest batch, and answers for the next one when that is done.
 */
const prompt = 2;

/**
 * After so many batches of one size the next is larger, however late the answers come: a process whose requests take long
 * answers late for good, and with batches of 4 its predecessor would be cut off at the drain's deadline before ten thousand
 * connections have left. Of the four sizes up to the largest it is sixteen batches at most.
 */
const patience = 4;

/**
 * How many connections leave at a time: few at first, and twice as many when the successor answers promptly, or was given
 * enough of that size. What has not left is served here meanwhile, by code that is warm.
 */
export class Pace {
  #size = firstBatch;
  #answers = 0;

  get batchSize(): number {
    return this.#size;
  }

  /** The successor has taken a batch, after so many milliseconds. */
  answered(milliseconds: number): void {
    this.#answers++;
    if (milliseconds >= prompt && this.#answers < patience) return;
    this.#size = Math.min(2 * this.#size, batchLimit);
    this.#answers = 0;
  }
}
