import { OwnedFd } from '../../lib/fd/owned-fd.ts';
import type { Inheritance } from '../../lib/transaction/inheritance.ts';
import { InheritedDescriptors } from '../../lib/transaction/inherited-descriptors.ts';
import { describeForManifest, type NamedDescriptor } from '../../lib/transaction/manifest.ts';
import type { SavedState } from '../../lib/transaction/state.ts';

/** What came from a predecessor, without one. */
export class Received extends InheritedDescriptors implements Inheritance {
  static readonly #all = new Set<Received>();
  readonly rehearsed = false;
  readonly generation = 1;
  readonly predecessor = { pid: 1, generation: 0 };
  readonly #states: readonly (SavedState | string)[];

  constructor(descriptors: readonly NamedDescriptor[], states: readonly (SavedState | string)[] = []) {
    super(
      descriptors.map((named) => ({
        entry: describeForManifest(named),
        descriptor: OwnedFd.dup(named.fd, 'inherited by a test'),
      })),
    );
    this.#states = states;
    Received.#all.add(this);
  }

  /** For the end of a test: closes what nobody has taken. */
  static closeAll(): void {
    for (const received of Received.#all) received.closeHeld();
    Received.#all.clear();
  }

  state(name: string): SavedState | 'late' | null {
    const found = this.#states.find((state) => (typeof state === 'string' ? state : state.name) === name) ?? null;
    return typeof found === 'string' ? 'late' : found;
  }
}
