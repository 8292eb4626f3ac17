import type { Inherited, ManifestEntry } from './manifest.ts';
import type { SavedState } from './state.ts';

/** What a starting process has from the one before it, whichever way it came. */
export interface Inheritance {
  /** Whether this is a rehearsal: what is taken out is harmless, and nothing real is to be opened in its place. */
  readonly rehearsed: boolean;
  readonly generation: number;
  /** Null where it comes from no process, but from a service manager. */
  readonly predecessor: { readonly pid: number; readonly generation: number } | null;
  /** The descriptors that nobody has taken yet, the reserved ones left out. */
  readonly unclaimed: ManifestEntry[];
  /** Takes a descriptor out: it is the caller's from now on. */
  take(name: string): Inherited | null;
  /** Gives back what was taken and nobody here has a use for after all; not after `ready()`, when nobody looks any more. */
  putBack(inherited: Inherited): void;
  /** The number of one that nobody has taken; borrowed. */
  borrow(name: string): number | null;
  /** The state of that name: its value, the promise of a late one, or null where there is none. */
  state(name: string): SavedState | 'late' | null;
}
