import type { PhaseName } from './state.ts';

/** A step from one phase to another, and why. */
export interface PhaseChange {
  readonly from: PhaseName;
  readonly to: PhaseName;
  /** For people. */
  readonly cause: string;
}

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
