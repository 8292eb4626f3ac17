import { accessSync, constants, realpathSync } from 'node:fs';
import { findExecutable } from './executable.ts';

/** Where a program was started: what a name is looked for with. */
export interface Place {
  readonly cwd: string;
  readonly PATH: string | undefined;
}

/**
 * The program of this process, Node or a single executable application, as it can be started again: by the name that was
 * used, which may lead to a newer Node by now.
 */
export class Runtime {
  readonly #name: string;
  readonly #place: Place;
  readonly #executable: string;

  /**
   * @param name the first word of the command line, which whoever starts a program may choose freely
   * @param executable what the kernel says that was run, without links
   */
  constructor(name: string, place: Place, executable: string) {
    this.#place = place;
    this.#executable = executable;
    this.#name = this.#isNameOf(name) ? name : executable;
  }

  /**
   * By what it is started now: the name; where that leads nowhere any more what it led to, if that is still there. Where
   * neither is, the name, which is what an error has to tell of.
   */
  get command(): string {
    if (this.#find(this.#name) !== null) return this.#name;
    return isExecutable(this.#executable) ? this.#executable : this.#name;
  }

  /** Whether a command means this program, and not another one that may not know this library. */
  is(command: string): boolean {
    return command === this.#name || command === this.#executable;
  }

  /** What has been tried where nothing can be started any more; null where something can. */
  get missing(): string | null {
    if (this.#find(this.#name) !== null || isExecutable(this.#executable)) return null;
    return this.#name === this.#executable ? this.#name : `${this.#name} (which was ${this.#executable})`;
  }

  #isNameOf(name: string): boolean {
    const found = this.#find(name);
    try {
      return found !== null && realpathSync(found) === realpathSync(this.#executable);
    } catch {
      // Removed since this process was started: the name is all that there is.
      return found !== null;
    }
  }

  #find(command: string): string | null {
    try {
      return findExecutable({ command, env: { PATH: this.#place.PATH }, cwd: this.#place.cwd });
    } catch {
      return null;
    }
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
