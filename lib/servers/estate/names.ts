import { HandoffError } from '../../fd/handoff-error.ts';

/** The names of what this process hands over as descriptors, those included of which the descriptor is still being made. */
export class Names {
  readonly #used = new Set<string>();

  /** How many are in use. */
  get size(): number {
    return this.#used.size;
  }

  /** Runs `make` with the name reserved; it is free again where that fails. */
  async naming<Made>(name: string, make: (name: string) => Promise<Made>): Promise<Made> {
    checkName(name);
    if (this.#used.has(name)) throw duplicate('listener or descriptor', name);
    this.#used.add(name);
    try {
      return await make(name);
    } catch (error) {
      this.#used.delete(name);
      throw error;
    }
  }

  /** That name where it is free, else the first free one of `name#2`, `name#3` … */
  free(name: string): string {
    let free = name;
    for (let number = 2; this.#used.has(free); number++) free = `${name}#${number}`;
    return free;
  }

  /** As `free()`, and it is in use from now on. */
  reserveFree(name: string): string {
    const free = this.free(name);
    this.#used.add(free);
    return free;
  }

  release(name: string): void {
    this.#used.delete(name);
  }
}

/** Throws a TypeError for what cannot be a name. */
export function checkName(name: string): void {
  if (typeof name !== 'string') {
    throw Object.assign(new TypeError(`A name must be a string. Received ${typeof name}`), {
      code: 'ERR_INVALID_ARG_TYPE',
    });
  }
  if (/^[!-9;-~ ]{1,255}$/.test(name) && !name.startsWith('@')) return;
  throw Object.assign(
    new TypeError(
      `The name ${JSON.stringify(name)} cannot be used: 1 to 255 printable ASCII characters, no colon (it separates names in LISTEN_FDNAMES), not starting with "@" (reserved).`,
    ),
    { code: 'ERR_INVALID_ARG_VALUE' },
  );
}

export function duplicate(what: string, name: string): HandoffError {
  return new HandoffError(
    'ERR_HANDOFF_ALREADY_OWNED',
    `This process has a ${what} named "${name}" already: give each its own "name".`,
  );
}
