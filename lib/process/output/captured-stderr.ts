import { fstatSync, readSync } from 'node:fs';
import { duplicateTo, setNonBlocking } from '../../fd/descriptor.ts';
import type { OwnedFd } from '../../fd/owned-fd.ts';
import { standardError } from './standard-output.ts';
import { relayToStandardError } from './stderr-pipe.ts';

/** Enough for what a pipe holds. */
const pieceLength = 64 * 1024;

/**
 * Standard error while descriptor 2 leads to the predecessor, which reports a failed start with the end of it. This process
 * holds the read end as well: what it and its helpers write when the predecessor does not read any more is not lost, and
 * nobody is ended by it.
 */
export class CapturedStderr {
  readonly #real: OwnedFd;
  /** Null where the predecessor has not given it. */
  readonly #reader: OwnedFd | null;
  readonly #onError = () => this.restore('here');

  /** Both are taken over. */
  constructor({ real, reader }: { readonly real: OwnedFd; readonly reader: OwnedFd | null }) {
    this.#real = real;
    this.#reader = reader;
    standardError.protect();
    process.stderr.on('error', this.#onError);
  }

  /** The number of what standard error is meant to be, for a child that outlives the predecessor; borrowed. */
  get meant(): number {
    return this.#real.closed ? 2 : this.#real.fd;
  }

  /**
   * Makes descriptor 2 what it was meant to be; once.
   *
   * @param readBy who reads what is in the pipe, and what is still to come by it: this process where the predecessor has
   *   stopped, or is gone; the predecessor where that reports what has failed here
   */
  restore(readBy: 'here' | 'the predecessor'): void {
    if (this.#real.closed) return;
    // As Node does with the pipe that it finds at its start: one that blocks would stop this process with its reader.
    const stats = fstatSync(this.#real.fd);
    if (stats.isFIFO() || stats.isSocket()) setNonBlocking(this.#real.fd, true);
    duplicateTo(this.#real.fd, 2);
    this.#real.close();
    process.stderr.off('error', this.#onError);
    if (this.#reader === null) return;
    if (readBy === 'the predecessor') this.#reader.close();
    else readOn(this.#reader);
  }
}

/** Passes on what is in the pipe; where somebody else still has its other end, what is to come as well. */
function readOn(reader: OwnedFd): void {
  setNonBlocking(reader.fd, true);
  const piece = Buffer.alloc(pieceLength);
  try {
    for (let length = readSync(reader.fd, piece); length > 0; length = readSync(reader.fd, piece)) {
      standardError.write(Buffer.from(piece.subarray(0, length)));
    }
    reader.close();
  } catch {
    // EAGAIN: a helper has it for its standard error.
    relayToStandardError(reader);
  }
}
