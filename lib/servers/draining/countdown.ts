import { setMaxListeners } from 'node:events';
import { HandoffError } from '../../fd/handoff-error.ts';

/** setTimeout() takes 31 bits of milliseconds, and fires at once where it is given more. */
const longestTimer = 2 ** 31 - 1;

/**
 * When a drain has to be over. The end can be brought forward, by an order to stop or the hammer, and is never put off:
 * whoever was told that it is near has been told so.
 */
export class Countdown implements Disposable {
  readonly #over = new AbortController();
  readonly #watchers = new Set<(left: number) => void>();
  #end: number;
  #timer: NodeJS.Timeout | undefined;

  /** @param milliseconds from now; `Infinity`: it has no end of its own */
  constructor(milliseconds: number) {
    this.#end = performance.now() + milliseconds;
    // Every server of the process listens, and Node warns of more than ten.
    setMaxListeners(0, this.#over.signal);
    this.#arm();
  }

  /** How much is left, in milliseconds. */
  get left(): number {
    return this.over.aborted ? 0 : Math.max(0, this.#end - performance.now());
  }

  /** Aborts when the time is over. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** It has to be over within so many milliseconds from now, if it had not to be before that; 0: now. */
  shorten(milliseconds: number): void {
    const end = performance.now() + milliseconds;
    if (end >= this.#end || this.over.aborted) return;
    this.#end = end;
    this.#arm();
    for (const watcher of this.#watchers) watcher(this.left);
  }

  /** Tells `watcher` how much is left, now and whenever that was shortened, until `ended`. */
  watch(watcher: (left: number) => void, ended: AbortSignal): void {
    this.#watchers.add(watcher);
    ended.addEventListener('abort', () => this.#watchers.delete(watcher), { once: true });
    watcher(this.left);
  }

  /** Nothing waits for it any more. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#watchers.clear();
    this.#end = Number.NEGATIVE_INFINITY;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const left = this.left;
    if (left === 0) {
      this.#over.abort(new HandoffError('ERR_HANDOFF_TIMEOUT', 'The time for the drain is over.'));
    } else if (Number.isFinite(left)) {
      this.#timer = setTimeout(() => this.#arm(), Math.min(Math.ceil(left), longestTimer));
    }
  }
}
