import type { DrainCounts } from '../../servers/index.ts';
import type { Mode, OfferPhase } from '../../transaction/predecessor.ts';

/** What `closed` resolves with. */
export interface DrainReport extends DrainCounts {
  /** How long the drain took, in milliseconds. */
  readonly duration: number;
  /** `called-off`: `ready()` failed, and the predecessor serves on. */
  readonly reason: 'handoff' | 'shutdown' | 'called-off';
}

/** What a `Handoff` emits, with what its listeners are given. */
export interface HandoffEvents {
  /** A successor has come, and gets an offer. */
  offer: [{ pid: number; mode: Mode; phase: OfferPhase }];
  /** The successor is the owner; this process drains. */
  commit: [{ pid: number; mode: Mode }];
  /** A handoff failed; this process serves on. */
  rollback: [{ error: Error }];
  /** The successor died while this process drained; this process serves again. */
  'give-back': [{ pid: number }];
  /** This process accepts no more for a while, and keeps its listeners. `app.draining` is aborted. */
  pause: [];
  /** It accepts again. There is a new `app.draining`. */
  resume: [];
  /** A signal says that log files were renamed: open them again. They are the application's. */
  reopen: [{ signal: NodeJS.Signals }];
  /** This process is drained and about to leave. */
  drain: [DrainReport];
  /** Something failed that nobody awaits: an upgrade by signal, a hook. Without a listener it is a process warning. */
  error: [Error];
}
