import type { Inheritance } from './inheritance.ts';
import type { Inherited, ManifestEntry } from './manifest.ts';
import type { SavedState } from './state.ts';

/** What a starting process has from its predecessor, and what somebody else gave it besides: the predecessor's first. */
export class JoinedInheritance implements Inheritance {
  readonly #first: Inheritance;
  readonly #second: Inheritance;
  /** The names of what came from the second, in case it goes back. */
  readonly #takenFromSecond = new Set<string>();

  /** @param second must have no name that `first` has */
  constructor(first: Inheritance, second: Inheritance) {
    this.#first = first;
    this.#second = second;
  }

  get rehearsed(): boolean {
    return this.#first.rehearsed;
  }

  get generation(): number {
    return this.#first.generation;
  }

  get predecessor(): Inheritance['predecessor'] {
    return this.#first.predecessor;
  }

  get unclaimed(): ManifestEntry[] {
    return [...this.#first.unclaimed, ...this.#second.unclaimed];
  }

  take(name: string): Inherited | null {
    const inherited = this.#first.take(name);
    if (inherited !== null) return inherited;
    this.#takenFromSecond.add(name);
    return this.#second.take(name);
  }

  putBack(inherited: Inherited): void {
    const from = this.#takenFromSecond.has(inherited.entry.name) ? this.#second : this.#first;
    from.putBack(inherited);
  }

  borrow(name: string): number | null {
    return this.#first.borrow(name) ?? this.#second.borrow(name);
  }

  state(name: string): SavedState | 'late' | null {
    return this.#first.state(name) ?? this.#second.state(name);
  }
}
