import { isMainThread } from 'node:worker_threads';

/**
 * How much of what is written may wait for a reader that does not read, in bytes, before more is dropped. A reader that is
 * only slow has a mebibyte in a moment; it is a hundred times what a failed start says.
 */
const pendingLimit = 1024 * 1024;

/** Output that could not be written. */
export interface LostOutput {
  readonly stream: 'stdout' | 'stderr';
  /** How many bytes of this library's own output to that stream were lost so far; the application's are not counted. */
  readonly lost: number;
  /** Why; null where a reader is there and does not read. */
  readonly error: Error | null;
}

/** As much of a stream as it takes to say something. */
interface Writable {
  write(text: string | Uint8Array, callback?: (error?: Error | null) => void): unknown;
  readonly writableLength?: number;
}

const listeners = new Set<(lost: LostOutput) => void>();

/**
 * Standard output or error, as something that nobody may be harmed by: what is written to a reader that is gone, a full disk
 * or a terminal that was closed is lost, and what is written to a reader that does not read waits up to a limit.
 */
class StandardStream {
  readonly #name: 'stdout' | 'stderr';
  #isProtected = false;
  #lost = 0;

  constructor(name: 'stdout' | 'stderr') {
    this.#name = name;
  }

  /** How many bytes written here were lost. */
  get lost(): number {
    return this.#lost;
  }

  /** Never throws, and never ends the process. */
  write(text: string | Uint8Array): void {
    this.protect();
    const size = Buffer.byteLength(text);
    // It can be a function of the application in the stream's place, which throws as it likes.
    try {
      const stream: Writable = process[this.#name];
      if ((stream.writableLength ?? 0) + size > pendingLimit) this.#tell(size, null);
      else stream.write(text, (error) => this.#count(error == null ? 0 : size));
    } catch (error) {
      this.#tell(size, error as Error);
    }
  }

  /** Resolves when what is pending is written, or cannot be. */
  flush(): Promise<void> {
    this.protect();
    return new Promise((resolve) => {
      const stream = process[this.#name];
      // The callback comes with an error where the reader is gone: then there is nothing to wait for either.
      if (stream.writable) stream.write('', () => resolve());
      else resolve();
    });
  }

  /**
   * From now on an error of this stream ends nobody, be it of what the application writes: without a listener it would be an
   * uncaught exception. Making the stream besides has libuv make a pipe non-blocking: the runtime writes warnings with
   * write(2), which would otherwise block the process where a reader is there and does not read.
   */
  protect(): void {
    if (this.#isProtected) return;
    this.#isProtected = true;
    try {
      process[this.#name].on('error', (error) => this.#tell(0, error));
    } catch {
      // A descriptor that is none of a stream: nothing can be written to it, and write() says so.
    }
  }

  #count(bytes: number): void {
    this.#lost += bytes;
  }

  #tell(bytes: number, error: Error | null): void {
    this.#count(bytes);
    for (const listener of listeners) listener({ stream: this.#name, lost: this.#lost, error });
  }
}

export const standardOutput = new StandardStream('stdout');
export const standardError = new StandardStream('stderr');

/** Has `listener` called with everything that is lost from now on; returns what ends that. */
export function onLostOutput(listener: (lost: LostOutput) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Nobody who reads what this process writes, or does not, ends it from now on. Once is enough. */
export function protectStandardStreams(): void {
  standardOutput.protect();
  standardError.protect();
  if (isMainThread && process.listenerCount('SIGXFSZ') === 0) process.on('SIGXFSZ', outgrown);
}

/** A log file has reached the limit of its size (`ulimit -f`): without a listener the signal ends the process; so it is EFBIG. */
function outgrown(): void {}

/** Writes to a stream as a command has it; what a reader that does not read leaves is dropped. */
export function speak(stream: Writable, text: string): void {
  if ((stream.writableLength ?? 0) + Buffer.byteLength(text) <= pendingLimit) stream.write(text);
}
