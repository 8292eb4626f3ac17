import type { Before, State } from './state.ts';
import { impossible, overtaken, refused, type Step, taken } from './step.ts';
import { companyOf } from './stops.ts';

/** What follows on the way from the start to the service. */

export function ready(state: State): Step {
  if (state.is !== 'starting') return refused('ready-twice');
  return taken({ ...state, is: 'taking-over' }, state.rehearsal ? 'pass-rehearsal' : 'take-over');
}

export function accepted(state: State): Step {
  switch (state.is) {
    case 'taking-over':
      return taken(state);
    case 'shutting-down':
    case 'left':
      // What began to accept meanwhile must not go on.
      return overtaken(state, 'stop-accepting');
    default:
      return impossible('ready() does not run');
  }
}

export function tookOver(state: State, decision: 'committed' | 'orphaned'): Step {
  switch (state.is) {
    case 'taking-over':
      return taken({ is: 'serving', before: afterDecision(state.before, decision), heir: false }, 'settle-in');
    case 'shutting-down':
    case 'left':
      return overtaken(state);
    default:
      return impossible('ready() does not run');
  }
}

/** Those that share are there, whoever of them has died. */
function afterDecision(before: Before, decision: 'committed' | 'orphaned'): Before {
  if (before === 'sharers' || before === 'nobody') return before;
  if (decision === 'orphaned') return 'nobody';
  return before === 'predecessor' ? 'draining' : before;
}

/** What was accepted here is finished. */
export function takeOverFailed(state: State): Step {
  switch (state.is) {
    case 'taking-over':
      return taken(
        { is: 'shutting-down', why: 'called-off', told: false, ...companyOf(state) },
        'refuse-predecessor',
        'stop-accepting',
        'call-shutdown-hooks',
        'withdraw-listeners',
        'drain-called-off',
      );
    case 'shutting-down':
    case 'left':
      return overtaken(state);
    default:
      return impossible('ready() does not run');
  }
}

/** Until `ready()` says that it has failed nothing is to be held. */
export function calledOff(state: State): Step {
  return state.is === 'starting' ? taken(state, 'let-go-of-inheritance') : taken(state);
}
