/** How long the drain of a stop may take, in milliseconds; null: as the settings say. Nothing is decided by it. */
export interface StopTerms {
  readonly timeout: number | null;
  /** How long idle connections may stay. */
  readonly idle: number | null;
}

/** What can happen to a process's life, by whom it is told. */
export type LifeEvent =
  // ---- what the application, a signal or a visitor wants: it may be refused ----
  /** `ready()` was called. */
  | { readonly is: 'ready' }
  /** `upgrade()`, or a visitor who wants to take over (`'replace'`) or to serve as well (`'share'`). */
  | { readonly is: 'offer' }
  /** `reexec()`. */
  | { readonly is: 'renew' }
  /** `pause()`. */
  | { readonly is: 'pause' }
  /** `resume()`. */
  | { readonly is: 'resume' }
  /** `shutdown()`, or the second stop (`hammer()`). `'first'`: a `shutdownDelay` says so for a while before. */
  | { readonly is: 'stop'; readonly notice: 'first' | 'none'; readonly terms: StopTerms }
  /** The primary of this worker, or a later generation, wants this process to end. */
  | { readonly is: 'retire'; readonly terms: StopTerms }
  // ---- what an activity has come to ----
  /** `ready()`: everything accepts, and nobody has been told yet. */
  | { readonly is: 'accepted' }
  /** `ready()`: this process is what it came to be. `'orphaned'`: the predecessor died meanwhile. */
  | { readonly is: 'took-over'; readonly decision: 'committed' | 'orphaned' }
  /** `ready()` has failed: the predecessor, where there is one, stays the owner. */
  | { readonly is: 'take-over-failed'; readonly error: unknown }
  /** A successor has written its newline. */
  | { readonly is: 'successor-ready'; readonly role: 'replaces' | 'inherits-later' | 'shares' }
  /** An offer has come to nothing. */
  | { readonly is: 'offer-failed' }
  /** The next version has passed the preflight of a re-exec. */
  | { readonly is: 'preflight-passed' }
  /** It has not. */
  | { readonly is: 'preflight-failed' }
  /** A re-exec has everything that is needed before anything is stopped for it. */
  | { readonly is: 'prepared' }
  /** A re-exec has finished what was in flight: the image can be replaced. */
  | { readonly is: 'emptied' }
  /** A re-exec has failed after its preflight. */
  | { readonly is: 'renewal-failed' }
  /** What a process had stopped for somebody is accepted again. */
  | { readonly is: 'accepts-again' }
  /** The notice of a stop is over. */
  | { readonly is: 'notice-over'; readonly terms: StopTerms }
  /** Nothing is in flight any more. */
  | { readonly is: 'drained' }
  // ---- what others do ----
  /** The successor that this process drains for has died before the drain was over. */
  | { readonly is: 'successor-died' }
  /** The one beside this process that inherits its role is about to leave. */
  | { readonly is: 'heir-leaving' }
  /** It is gone. */
  | { readonly is: 'heir-left' }
  /** The predecessor has called the handoff off. */
  | { readonly is: 'called-off' }
  /** The predecessor is gone. `'released'`: the one that this process stands beside has given its role to another. */
  | { readonly is: 'predecessor-left'; readonly how: 'drained' | 'died' | 'released' };

/** The name of an event. */
export type LifeEventName = LifeEvent['is'];
