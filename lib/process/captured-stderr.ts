import { duplicateTo } from '../fd/descriptor.ts';
import type { OwnedFd } from '../fd/owned-fd.ts';

/**
 * Standard error while descriptor 2 leads to the predecessor, which reports a failed start with the end of it. A
 * predecessor that dies meanwhile leaves a pipe without a reader: writing a line to that must not end this process.
 */
export class CapturedStderr {
  readonly #real: OwnedFd;
  readonly #onError = (error: NodeJS.ErrnoException) => {
    this.restore();
    if (error.code !== 'EPIPE') throw error;
  };

  /** @param real is taken over */
  constructor(real: OwnedFd) {
    this.#real = real;
    process.stderr.on('error', this.#onError);
  }

  /** The number of what standard error is meant to be, for a child that outlives the predecessor; borrowed. */
  get meant(): number {
    return this.#real.closed ? 2 : this.#real.fd;
  }

  /** Makes descriptor 2 what it was meant to be; once. */
  restore(): void {
    if (this.#real.closed) return;
    duplicateTo(this.#real.fd, 2);
    this.#real.close();
    // An error of what was written before is told in the next turn.
    setImmediate(() => process.stderr.off('error', this.#onError)).unref();
  }
}
