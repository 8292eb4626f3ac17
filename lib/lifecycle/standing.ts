import type { FateOfClosed } from '../servers/index.ts';
import type { Successor } from '../transaction/predecessor.ts';
import type { Takeover } from '../transaction/successor.ts';
import { causeOf, isOwning, type Phase, type PhaseName, type Upstream } from './phase.ts';

/** A step from one phase to another, and why. */
export interface PhaseChange {
  readonly from: PhaseName;
  readonly to: PhaseName;
  readonly cause: string;
}

/** A successor beside this process, which inherits its role when it leaves. */
export interface Heir {
  readonly successor: Successor;
  readonly pid: number;
}

/** Where a process stands: its phase, and what it is to those before and after it. The one owner of that. */
export class Standing {
  upstream: Upstream = { is: 'none' };
  heir: Heir | null = null;
  /** Whether `ready()` has been done: before that the predecessor owns what this process holds. */
  tookOver = false;
  #phase: Phase = { is: 'starting' };
  readonly #takeover: Takeover | null;
  readonly #onChange: (change: PhaseChange) => void;
  #whenChanged: (() => void)[] = [];

  /** @param takeover by which this process came, or null where there was nobody to take over from */
  constructor(takeover: Takeover | null, onChange: (change: PhaseChange) => void) {
    this.#takeover = takeover;
    this.#onChange = onChange;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** The one place where the phase changes. */
  enter(phase: Phase): void {
    const from = this.#phase.is;
    const cause = causeOf(from, phase.is);
    this.#phase = phase;
    this.#onChange({ from, to: phase.is, cause });
    const waiting = this.#whenChanged;
    this.#whenChanged = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves at the next change of phase. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#whenChanged.push(resolve));
  }

  /** Whether it is in that phase now, whatever it was in before something else was awaited. */
  isIn(phase: PhaseName): boolean {
    return this.#phase.is === phase;
  }

  isOwner(): boolean {
    return this.isAttempting() || isOwning(this.#phase);
  }

  /** Whether a handoff has begun, and nothing was stopped for it. */
  isAttempting(): boolean {
    return this.isIn('offering') || this.isIn('rehearsing');
  }

  /** Whether something is under way that leaves this process the owner or not: each has a deadline of its own. */
  isUndecided(): boolean {
    return this.isAttempting() || this.isIn('taking-over');
  }

  /** Whether clients are served, by this process or by another one in its place. */
  isServed(): boolean {
    switch (this.#phase.is) {
      case 'serving':
      case 'rehearsing':
      case 'draining':
      case 'draining-in-place':
        return true;
      case 'offering':
        return this.#phase.before.is === 'serving' || this.heir !== null;
      case 'starting':
      case 'taking-over':
        return this.#takeover !== null;
      case 'paused':
      case 'announcing':
      case 'shutting-down':
        return this.heir !== null || this.isGuest();
      case 'left':
        return this.#phase.toAnother;
    }
  }

  /** Whether a connection that the predecessor moves would be served here, or by a successor that takes it on. */
  mayAdopt(): boolean {
    const { is } = this.#phase;
    return is !== 'starting' && is !== 'shutting-down' && is !== 'left';
  }

  /** Whether the one that this process came to serves on by itself: then what both hold is not this process's to remove. */
  isGuest(): boolean {
    if (this.#takeover === null) return false;
    return !this.tookOver || this.#takeover.mode === 'share' || this.standsBeside();
  }

  /** Whether nobody else serves what this process does. */
  isAlone(): boolean {
    return this.heir === null && !this.isGuest();
  }

  /** Whether this process serves beside the owner that has started it, and would inherit its role. */
  standsBeside(): boolean {
    return this.upstream.is === 'connected' && this.upstream.takeover.mode === 'keep';
  }

  /**
   * A predecessor that still drains moves its connections here, and they go on from here: not before it is gone can this
   * process be.
   */
  upstreamGone(): Promise<void> {
    const upstream = this.upstream;
    return upstream.is === 'connected' && upstream.takeover.mode === 'replace' ? upstream.gone : Promise.resolve();
  }

  /** What becomes of the listener of a server that the application closes by itself: that is how it takes one out. */
  fateOfClosed(): FateOfClosed {
    if (this.isIn('starting') || this.isIn('taking-over')) return 'return';
    if (this.isIn('offering')) return 'later';
    if (!isOwning(this.#phase)) return 'nothing';
    return this.isAlone() ? 'remove' : 'close';
  }
}
