import type { Inheritance } from '../../transaction/inheritance.ts';
import type { SavedState, StateValue } from '../../transaction/state.ts';
import { duplicate } from './names.ts';

/** A value that goes from each process to the next. */
export interface StateHooks<Value extends StateValue = StateValue> {
  /** Makes the value for the successor: JSON, or bytes. Runs while this process still serves, unless `late`. */
  readonly save: () => Value | Promise<Value>;
  /** Gets the predecessor's value, in the successor. */
  readonly restore: (value: Value) => void | Promise<void>;
  /** Saves at commit, when this process no longer accepts, instead of at the offer; restored when it arrives. */
  readonly late?: boolean;
}

/** The values that this process has for its successor, and has had from its predecessor. */
export class States {
  readonly #inheritance: Inheritance | null;
  readonly #states = new Map<string, StateHooks>();

  constructor(inheritance: Inheritance | null) {
    this.#inheritance = inheritance;
  }

  get size(): number {
    return this.#states.size;
  }

  /**
   * Registers a state, and restores what the predecessor saved under `inheritedName`. Resolves with whether there was
   * something to restore.
   */
  async register(name: string, hooks: StateHooks, inheritedName: string): Promise<boolean> {
    if (this.#states.has(name)) throw duplicate('state', name);
    this.#states.set(name, hooks);
    const saved = this.#inheritance?.state(inheritedName) ?? null;
    if (saved === null || saved === 'late') return saved !== null;
    await hooks.restore(saved.value);
    return true;
  }

  /** Restores a late state. One that nobody has registered is dropped: this version has no use for it. */
  async restoreLate(state: SavedState): Promise<void> {
    await this.#states.get(state.name)?.restore(state.value);
  }

  /** What an offer says of the states. */
  get entries(): { name: string; late: boolean }[] {
    return [...this.#states].map(([name, { late }]) => ({ name, late: late ?? false }));
  }

  /** Runs the `save` hooks, one after the other. */
  async save(which: 'early' | 'late'): Promise<SavedState[]> {
    const saved: SavedState[] = [];
    for (const [name, { save, late = false }] of this.#states) {
      if (late === (which === 'late')) saved.push({ name, late, value: await save() });
    }
    return saved;
  }

  /** The names of the application's own states: those that begin with "@" are the library's. */
  get names(): string[] {
    return [...this.#states.keys()].filter((name) => !name.startsWith('@'));
  }

  forget(name: string): void {
    this.#states.delete(name);
  }
}
