import { OwnedFd } from '../fd/owned-fd.ts';
import { controlName, type Inherited, type ManifestEntry, readyName } from './manifest.ts';

/** What has come from whoever was here before, by name: each is held until somebody takes it out. */
export class InheritedDescriptors {
  /** Everything that came, be it taken or not; without the reserved ones, which no program asks for. */
  readonly offered: readonly ManifestEntry[];
  readonly #held: Map<string, Inherited>;

  /** @param inherited taken over; no two of one name */
  constructor(inherited: Iterable<Inherited>) {
    this.#held = new Map(Array.from(inherited, (one) => [one.entry.name, one]));
    this.offered = this.unclaimed;
  }

  /** Everything that nobody has taken yet; it stays here. */
  get held(): readonly Inherited[] {
    return [...this.#held.values()];
  }

  /** The same without the reserved ones. */
  get unclaimed(): ManifestEntry[] {
    return this.held.map(({ entry }) => entry).filter(({ name }) => name !== readyName && name !== controlName);
  }

  /** Takes a descriptor out: it is the caller's from now on. */
  take(name: string): Inherited | null {
    const found = this.#held.get(name) ?? null;
    this.#held.delete(name);
    return found;
  }

  putBack(inherited: Inherited): void {
    this.#held.set(inherited.entry.name, inherited);
  }

  /** The number of one that nobody has taken; borrowed. */
  borrow(name: string): number | null {
    return this.#held.get(name)?.descriptor.fd ?? null;
  }

  /** Closes what nobody took. */
  closeHeld(): void {
    OwnedFd.closeAll(this.held.map(({ descriptor }) => descriptor));
    this.#held.clear();
  }
}
