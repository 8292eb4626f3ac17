/** A handoff that has begun, and for which nothing was stopped yet: it can be called off, and its end be waited for. */
export class Attempt {
  /** Aborts when this process calls it off, or the caller does. */
  readonly signal: AbortSignal;
  /** Settles, and never rejects, when it is over, a process that was started for it included. */
  readonly ended: Promise<void>;
  readonly #callOff = new AbortController();
  #end: () => void = () => {};

  /** @param outer the caller's own signal */
  constructor(outer?: AbortSignal) {
    this.signal = outer === undefined ? this.#callOff.signal : AbortSignal.any([this.#callOff.signal, outer]);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  callOff(reason: Error): void {
    this.#callOff.abort(reason);
  }

  end(): void {
    this.#end();
  }
}
