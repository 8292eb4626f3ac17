import type { Control } from '../channel/control.ts';
import { type Frame, readString } from '../channel/frame.ts';
import { createToken } from '../channel/token.ts';

/** What a peer says in `features` that opens its log files again when it is told to. */
export const reopenFeature = 'reopen';

/**
 * How many orders are remembered. A log is rotated once an hour at most, and an order is through the whole chain within
 * milliseconds: this is for a script that sends a dozen signals at once.
 */
const remembered = 16;

/** That log files were renamed: what is open is to be opened again. */
export interface ReopenOrder {
  /** Tells it from others: it can reach a process by two ways. */
  readonly id: string;
  readonly signal: NodeJS.Signals;
}

/**
 * Passes on to every process of the service that log files were renamed. Whoever rotates them knows one of them, by its PID
 * file: the others (older generations that still drain, a successor that warms up, one beside, workers) have the same files
 * open, and would go on writing to what is renamed, and is compressed or removed a moment later.
 *
 * Each process has lines to those next to it, and passes an order on to all of them but the one that it came from. Where
 * lines lead round (a generation that has come back to whoever serves now), an order that was heard goes no further.
 */
export class Reopenings {
  readonly #act: (signal: NodeJS.Signals) => void;
  readonly #lines = new Set<Control>();
  readonly #heard: string[] = [];
  #count = 0;
  #last: ReopenOrder | null = null;

  /** @param act opens again what this process has open */
  constructor(act: (signal: NodeJS.Signals) => void) {
    this.#act = act;
  }

  /** How many orders there were so far: for `join()` with somebody who is being started now. */
  get count(): number {
    return this.#count;
  }

  /** A signal has said it to this process. */
  order(signal: NodeJS.Signals): void {
    this.#obey({ id: createToken(), signal }, null);
  }

  /**
   * Tells this peer, and hears of it, from now on until the connection is gone. An earlier version is not told: it would
   * ignore that.
   *
   * @param features what the peer has said that it can do
   * @param since how many orders there were when it got what it has open: a later one, which could not be told, is told now
   */
  join(control: Control, features: readonly string[], since = this.#count): void {
    if (!features.includes(reopenFeature)) return;
    this.#lines.add(control);
    void control.closed.then(() => this.#lines.delete(control));
    control.on('REOPEN', (frame) => {
      const order = readOrder(frame);
      if (order !== null) this.#obey(order, control);
    });
    if (this.#last !== null && this.#count > since) send(control, this.#last);
  }

  #obey(order: ReopenOrder, from: Control | null): void {
    if (this.#heard.includes(order.id)) return;
    this.#heard.push(order.id);
    if (this.#heard.length > remembered) this.#heard.shift();
    this.#count++;
    this.#last = order;
    // The others first: what the application does about it may take a while, or throw.
    for (const line of this.#lines) if (line !== from) send(line, order);
    this.#act(order.signal);
  }
}

function send(control: Control, { id, signal }: ReopenOrder): void {
  control.send('REOPEN', { id, signal });
}

/** Null for the signal of another system, which says nothing here. */
function readOrder(frame: Frame): ReopenOrder | null {
  const signal = readString(frame, 'signal');
  return /^SIG[A-Z0-9]{1,12}$/.test(signal) ? { id: readString(frame, 'id'), signal: signal as NodeJS.Signals } : null;
}
