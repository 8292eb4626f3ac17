import type { Mover, Survivors } from '../servers/index.ts';
import type { Successor } from '../transaction/predecessor.ts';
import type { Takeover } from '../transaction/successor.ts';
import type { Attempt } from './attempt.ts';
import type { Pause } from './pause.ts';

/** What a process is in the middle of. Every change is made in `Succession`, by one of the methods that are named here. */
export type Phase =
  /** Before `ready()`. */
  | { readonly is: 'starting' }
  /** `ready()` runs. */
  | { readonly is: 'taking-over' }
  /** The owner. From `ready()` on, and again after a failed offer (`#offer`) or a give-back (`#giveBack`). */
  | { readonly is: 'serving' }
  /** The owner, which accepts nothing for a while and keeps its listeners (`pause`). */
  | { readonly is: 'paused'; readonly pause: Pause }
  /** The owner, told to stop: for a while it says so, and serves on (`shutdown`). */
  | { readonly is: 'announcing' }
  /** The owner, with a successor on its way (`#offer`); without one it is what it was `before`. */
  | { readonly is: 'offering'; readonly before: Owning; readonly attempt: Attempt }
  /** Committed: the successor owns, this process finishes what it has (`#commit`). */
  | { readonly is: 'draining'; readonly successor: Successor; readonly mover: Mover | null }
  /** The owner, about to replace its own image once the next version has passed the preflight (`reexec`). */
  | { readonly is: 'rehearsing'; readonly attempt: Attempt }
  /** The owner, finishing what it has before it replaces its own image (`reexec`). */
  | { readonly is: 'draining-in-place'; readonly mover: Mover; readonly survivors: Survivors }
  /** No successor: this process finishes what it has (`shutdown`). */
  | { readonly is: 'shutting-down' }
  /** Drained; nothing is held any more (`#finish`). `toAnother`: somebody else serves. */
  | { readonly is: 'left'; readonly toAnother: boolean };

/** The name of a phase, as `status()` and the diagnostics channels tell it. */
export type PhaseName =
  | 'starting'
  | 'taking-over'
  | 'serving'
  | 'paused'
  | 'announcing'
  | 'offering'
  | 'draining'
  | 'rehearsing'
  | 'draining-in-place'
  | 'shutting-down'
  | 'left';

/** The phases in which nothing is under way, and something can begin. */
export type Owning = Extract<Phase, { readonly is: 'serving' | 'paused' | 'announcing' }>;

export function isOwning(phase: Phase): phase is Owning {
  return phase.is === 'serving' || phase.is === 'paused' || phase.is === 'announcing';
}

/** The pause that a process is in, a handoff that has begun meanwhile or not. */
export function pauseOf(phase: Phase): Pause | null {
  if (phase.is === 'offering') return pauseOf(phase.before);
  return phase.is === 'paused' ? phase.pause : null;
}

/** The predecessor, as long as it is connected. */
export type Upstream =
  | { readonly is: 'none' }
  | { readonly is: 'connected'; readonly takeover: Takeover; readonly gone: Promise<void> };

/**
 * Every change of phase that there is, with its cause. `docs/protocol.md` shows the same as a diagram, and a test compares
 * the two.
 */
export const transitions: { readonly [from in PhaseName]: { readonly [to in PhaseName]?: string } } = {
  starting: { 'taking-over': 'ready()', 'shutting-down': 'told to stop' },
  'taking-over': {
    serving: 'no predecessor, COMMITTED, or the predecessor died',
    'shutting-down': 'ABORT, no answer, nothing to accept on, or told to stop',
  },
  serving: {
    offering: 'a visitor, or upgrade()',
    rehearsing: 'reexec()',
    paused: 'pause()',
    announcing: 'told to stop, with a shutdownDelay',
    'shutting-down': 'told to stop',
  },
  paused: {
    serving: 'resume(), or the successor beside it is gone',
    offering: 'a visitor, or upgrade()',
    'shutting-down': 'told to stop',
  },
  announcing: {
    offering: 'a visitor, or upgrade()',
    'shutting-down': 'the shutdownDelay is over, or told again',
  },
  offering: {
    serving: 'rollback, or a successor that serves beside this process',
    paused: 'the same, where it was paused before',
    announcing: 'the same, where it was announcing before',
    draining: 'commit',
    'shutting-down': 'told to stop',
  },
  rehearsing: {
    'draining-in-place': 'the preflight went well',
    serving: 'the preflight failed',
    'shutting-down': 'told to stop',
  },
  draining: {
    serving: 'give-back',
    'shutting-down': 'told to stop, and the successor died',
    left: 'drained',
  },
  'draining-in-place': { serving: 'the exec failed', 'shutting-down': 'told to stop' },
  'shutting-down': { left: 'drained' },
  left: {},
};

/** Why a process may go from one phase to another; throws for a change that is in no design, and so a bug. */
export function causeOf(from: PhaseName, to: PhaseName): string {
  const cause = transitions[from][to];
  if (cause === undefined) throw new Error(`a process that is ${from} cannot become ${to}`);
  return cause;
}
