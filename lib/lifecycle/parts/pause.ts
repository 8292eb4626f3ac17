import type { DrainEnd } from '../../servers/index.ts';

/** The longest that a timer can be set to; nothing happens when it fires. */
const longestTimer = 2 ** 31 - 1;

/** A process that does not accept for a while: what it has is finished meanwhile, and nothing is cut off. */
export class Pause {
  readonly #over = new AbortController();
  readonly #ended: Promise<unknown>;
  /** Without a control path nothing else is open, and Node leaves when nothing is: signals do not count. */
  readonly #stay = setInterval(() => {}, longestTimer);

  /** @param drain finishes what is in flight, until its signal aborts */
  constructor(drain: (over: AbortSignal) => Promise<DrainEnd>) {
    this.#ended = drain(this.#over.signal);
  }

  /** Resolves when its drain touches no connection any more: only then may another one begin, or the service. */
  async end(): Promise<void> {
    clearInterval(this.#stay);
    this.#over.abort();
    await this.#ended;
  }
}
