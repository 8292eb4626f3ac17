import type { CapturedStderr } from '../../process/output/captured-stderr.ts';
import type { Membership } from '../../process/roster.ts';
import type { Survival } from '../../reexec/survival.ts';
import type { Rehearsal } from '../../rehearsal/rehearsal.ts';
import type { Estate, Mover } from '../../servers/index.ts';
import type { SignalListeners } from '../../signals/signals.ts';
import type { PassedInheritance } from '../../systemd/passed-inheritance.ts';
import type { Successor } from '../../transaction/predecessor.ts';
import type { Reopenings } from '../../transaction/reopenings.ts';
import type { Takeover } from '../../transaction/successor.ts';
import type { Announcer } from '../contract/announcer.ts';
import type { Hooks } from '../contract/hooks.ts';
import type { Settings } from '../contract/settings.ts';
import type { Attempt } from './attempt.ts';
import type { ControlPost } from './control-post.ts';
import type { DrainClock } from './drain-clock.ts';
import type { DrainHooks } from './drain-hooks.ts';
import type { DrainingSignal } from './draining-signal.ts';
import type { Generations } from './generations.ts';
import type { Life } from './life.ts';
import type { Offered } from './offered-listeners.ts';
import type { Pause } from './pause.ts';
import type { PidFilePost } from './pid-file-post.ts';
import type { ServiceLife } from './service-life.ts';

/** As much of a process's signals as its life needs. */
export type StopSignals = Pick<SignalListeners<unknown>, 'forgetOrders' | 'hooksDone'> & Disposable;

/** The predecessor, as long as it is connected. */
export interface Upstream {
  readonly takeover: Takeover;
  /** Resolves when it is gone. */
  readonly gone: Promise<void>;
}

/** A successor at the other end of a connection. */
export interface Downstream {
  readonly successor: Successor;
  readonly pid: number;
}

/** Those at the other ends, as far as they are connected. What they are to this process is its `State`. */
export interface Peers {
  upstream: Upstream | null;
  /** Serves beside this process, and inherits its role. */
  heir: Downstream | null;
}

/** What is under way, for whoever has to call it off, wait for it or give it something. */
export interface Underway {
  /** A handoff for which nothing was stopped yet. */
  attempt: Attempt | null;
  pause: Pause | null;
  /** Takes connections while this process drains for somebody; null where nobody can take any. */
  mover: Mover | null;
}

/** What the activities of a life act on. Each is a noun with a file of its own; what is decided is not here. */
export interface Parts {
  readonly settings: Settings;
  readonly generation: number;
  /** The process that this one replaces, or stands beside. */
  readonly predecessor: { readonly pid: number; readonly generation: number } | null;
  readonly life: Life;
  readonly announcer: Announcer;
  readonly signals: StopSignals | null;
  readonly membership: Membership;
  readonly estate: Estate;
  readonly hooks: Hooks;
  readonly drainHooks: DrainHooks;
  /** Awaited before this process leaves. */
  readonly closeHooks: (() => void | Promise<void>)[];
  readonly control: ControlPost;
  readonly pidFile: PidFilePost;
  readonly service: ServiceLife;
  readonly clock: DrainClock;
  /** What the application sees as `app.draining`. */
  readonly draining: DrainingSignal;
  /** Those before this one that still drain. */
  readonly generations: Generations;
  /** Passes on that log files were renamed. */
  readonly reopenings: Reopenings;
  readonly peers: Peers;
  readonly underway: Underway;
  // ---- what there was before this process ----
  readonly takeover: Takeover | null;
  readonly survival: Survival | null;
  readonly rehearsal: Rehearsal | null;
  readonly passed: PassedInheritance | null;
  /** What this process must have use for; null where nobody has offered it anything, or serves on in any case. */
  readonly offered: Offered | null;
  /** The real standard error, while descriptor 2 leads to the predecessor. */
  readonly stderr: CapturedStderr | null;
  /** Settles, and never rejects, when this process is drained and has let go of everything. */
  readonly closed: Promise<unknown>;
}
