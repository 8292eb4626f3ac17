import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';

/** More than a PID file has: ten digits, a newline, and newlines behind it where a replacement was interrupted. */
const longest = 32;

/** The process id that a PID file with this text names; null where it is no PID file. */
export function pidIn(text: string): number | null {
  return text.length <= longest && /^[1-9]\d{0,9}\n*$/.test(text) ? Number(text) : null;
}

/**
 * The number in a PID file that is there, to be replaced where it stands. Every step leaves a whole number for whoever reads
 * meanwhile: newlines first, up to the length of the new number, for a reader that knows the old size would otherwise
 * read the front half of a longer number; then the new number over all of that, in one call; then the size is cut to it.
 */
export class WrittenNumber {
  readonly #file: number;
  readonly #text: string;

  private constructor(file: number, text: string) {
    this.#file = file;
    this.#text = text;
  }

  /**
   * Returns whether that is done. Where it is not, the file names whom it named before: the error that led here says more
   * than one from here would.
   *
   * @param text the number and a newline; empty: it is to name nobody; null only looks whether it could be written
   */
  static replace(path: string, text: string | null): boolean {
    return WrittenNumber.#use(path, (number) => text === null || number.#replace(text));
  }

  /**
   * The process that the file names; null where there is no such file, or no number in it. Of what whoever may write to the
   * folder can put there, root must neither wait for a named pipe nor follow a link.
   */
  static read(path: string): number | null {
    const file = open(path, constants.O_RDONLY);
    if (file === null) return null;
    try {
      if (!fstatSync(file).isFile()) return null;
      // A byte more than there can be: a longer text is none of a PID file's.
      const bytes = Buffer.alloc(longest + 1);
      return pidIn(bytes.toString('latin1', 0, readSync(file, bytes, 0, longest + 1, 0)));
    } catch {
      return null;
    } finally {
      closeSync(file);
    }
  }

  static #use(path: string, act: (number: WrittenNumber) => boolean): boolean {
    const file = open(path, constants.O_RDWR);
    if (file === null) return false;
    try {
      const { size, nlink } = fstatSync(file);
      const bytes = Buffer.alloc(longest);
      const text = bytes.toString('latin1', 0, readSync(file, bytes, 0, longest, 0));
      // A second link to it is another file by name, such as that of another service, which whoever may write to the
      // folder has put in the place of this one.
      if (nlink !== 1 || size !== text.length || (text !== '' && pidIn(text) === null)) return false;
      return act(new WrittenNumber(file, text));
    } catch {
      return false;
    } finally {
      closeSync(file);
    }
  }

  #replace(text: string): boolean {
    if (text === '') {
      ftruncateSync(this.#file, 0);
      return true;
    }
    // An empty one names nobody, and newlines would make it no PID file where there is no room for more.
    if (this.#text === '') return this.#first(text);
    const missing = text.length - this.#text.length;
    if (missing > 0 && writeSync(this.#file, '\n'.repeat(missing), this.#text.length) !== missing) return false;
    const whole = text.padEnd(this.#text.length, '\n');
    if (writeSync(this.#file, whole, 0) !== whole.length) {
      // In part: the number that was there goes where it came from.
      writeSync(this.#file, this.#text.padEnd(whole.length, '\n'), 0);
      return false;
    }
    ftruncateSync(this.#file, text.length);
    return true;
  }

  #first(text: string): boolean {
    if (writeSync(this.#file, text, 0) === text.length) return true;
    ftruncateSync(this.#file, 0);
    return false;
  }
}

function open(path: string, access: number): number | null {
  try {
    return openSync(path, access | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
}
