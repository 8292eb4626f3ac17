import { OwnedFd } from '../../lib/fd/owned-fd.ts';
import type { Inheritance } from '../../lib/handoff/inheritance.ts';
import { describeForManifest, type Inherited, type NamedDescriptor } from '../../lib/handoff/manifest.ts';
import type { SavedState } from '../../lib/handoff/state.ts';

/** What came from a predecessor, without one. */
export class Received implements Inheritance {
  static readonly #all = new Set<Received>();
  readonly rehearsed = false;
  readonly generation = 1;
  readonly predecessor = { pid: 1, generation: 0 };
  readonly #inherited = new Map<string, Inherited>();
  readonly #states: readonly (SavedState | string)[];

  constructor(descriptors: readonly NamedDescriptor[], states: readonly (SavedState | string)[] = []) {
    for (const named of descriptors) {
      const descriptor = OwnedFd.dup(named.fd, 'inherited by a test');
      this.#inherited.set(named.name, { entry: describeForManifest(named), descriptor });
    }
    this.#states = states;
    Received.#all.add(this);
  }

  /** For the end of a test: closes what nobody has taken. */
  static closeAll(): void {
    for (const received of Received.#all) received.close();
    Received.#all.clear();
  }

  get unclaimed() {
    return [...this.#inherited.values()].map(({ entry }) => entry);
  }

  take(name: string): Inherited | null {
    const found = this.#inherited.get(name) ?? null;
    this.#inherited.delete(name);
    return found;
  }

  putBack(inherited: Inherited): void {
    this.#inherited.set(inherited.entry.name, inherited);
  }

  borrow(name: string): number | null {
    return this.#inherited.get(name)?.descriptor.fd ?? null;
  }

  state(name: string): SavedState | 'late' | null {
    const found = this.#states.find((state) => (typeof state === 'string' ? state : state.name) === name) ?? null;
    return typeof found === 'string' ? 'late' : found;
  }

  close(): void {
    for (const { descriptor } of this.#inherited.values()) descriptor.close();
  }
}
