import type { SignalAction } from './signal-map.ts';

/** What a signal is to the orders before it. */
export type Hearing =
  /** To be carried out. */
  | 'order'
  /** Another signal than before says the same: it has hooks of its own, and is no second order. */
  | 'repeated'
  /** The same signal once more, or one that has lost its sense: nothing is to be done. */
  | 'moot'
  /** A stop, once more after a while: the first was not quick enough. */
  | 'insisted';

/**
 * A second: what a terminal, a launcher and a supervisor say to one process because of one key or command comes 3 to 20 ms
 * apart, and on a busy machine ten times that; a person who wants it done at once and not in good order presses again, later.
 */
export const defaultRepeatWithin = 1_000;

/** What is done to the process as a whole, and by one order at a time. */
const changes: readonly SignalAction[] = ['upgrade', 'keep', 'reexec', 'pause'];

interface Given {
  readonly action: SignalAction;
  /** When it was first given, in milliseconds of the monotonic clock. */
  readonly at: number;
  readonly signals: Set<NodeJS.Signals>;
}

/**
 * The orders that signals have given, so that one order which comes as two signals is one: a launcher passes on what the
 * terminal has said to its whole group, a supervisor tells the launcher and what that has started.
 */
export class GivenOrders {
  readonly #within: number;
  readonly #now: () => number;
  #stop: Given | null = null;
  #change: Given | null = null;

  /** @param within for how many milliseconds after the first signal of an order others only repeat it */
  constructor(within: number, now: () => number = () => performance.now()) {
    this.#within = within;
    this.#now = now;
  }

  hear(action: SignalAction, signal: NodeJS.Signals): Hearing {
    if (action === 'shutdown') {
      this.#change = null;
      if (this.#stop === null) this.#stop = this.#given(action, signal);
      else return this.#isRecent(this.#stop) ? repeated(this.#stop, signal) : 'insisted';
    } else if (changes.includes(action)) {
      // It leaves: systemd's SendSIGHUP= says both at once, and so does whoever closes a terminal with a stop.
      if (this.#stop !== null) return 'moot';
      const last = this.#change;
      if (last?.action === action && this.#isRecent(last)) return repeated(last, signal);
      this.#change = this.#given(action, signal);
    }
    return 'order';
  }

  /** What was ordered has come to nothing: to say it again is another order, however soon. */
  cameToNothing(action: SignalAction): void {
    if (this.#change?.action === action) this.#change = null;
  }

  /** The process serves again: whatever is ordered now is new. */
  forget(): void {
    this.#stop = null;
    this.#change = null;
  }

  #given(action: SignalAction, signal: NodeJS.Signals): Given {
    return { action, at: this.#now(), signals: new Set([signal]) };
  }

  #isRecent({ at }: Given): boolean {
    return this.#now() - at < this.#within;
  }
}

function repeated({ signals }: Given, signal: NodeJS.Signals): Hearing {
  if (signals.has(signal)) return 'moot';
  signals.add(signal);
  return 'repeated';
}
