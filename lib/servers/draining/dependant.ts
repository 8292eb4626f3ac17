import type { Work } from './connections.ts';
import type { DrainEnd, DrainOrder } from './drain.ts';

/** Other processes that serve with copies of this one's listeners, and whose life depends on it. */
export interface Dependant {
  /** Has them finish what they have, and leave. */
  drain(order: DrainOrder): Promise<DrainEnd>;
  /** Those that are there, for people. */
  readonly works: readonly Work[];
  /** Takes a drain back. */
  serveAgain(): void;
  /** Has them leave without waiting for it: what they hold is not to be held any more. */
  letGo(): void;
}
