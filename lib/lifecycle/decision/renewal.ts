import { whyNotServing } from './offers.ts';
import type { State } from './state.ts';
import { impossible, overtaken, refused, type Step, taken } from './step.ts';
import { companyOf } from './stops.ts';

/** What follows while a process replaces its own image. */

type InPlace = State & { readonly is: 'draining-in-place' };

export function renew(state: State): Step {
  if (state.is !== 'serving') return refused(whyNotServing(state));
  if (state.heir || state.before === 'owner') return refused('beside-another');
  return taken({ is: 'rehearsing', ...companyOf(state) });
}

export function preflightPassed(state: State): Step {
  switch (state.is) {
    case 'rehearsing':
      return taken({ is: 'draining-in-place', step: 'preparing', ...companyOf(state) });
    case 'shutting-down':
    case 'left':
      return overtaken(state);
    default:
      return impossible('nothing is rehearsed');
  }
}

export function preflightFailed(state: State): Step {
  switch (state.is) {
    case 'rehearsing':
      return taken({ is: 'serving', ...companyOf(state) }, 'accept-late');
    case 'shutting-down':
    case 'left':
      return overtaken(state);
    default:
      return impossible('nothing is rehearsed');
  }
}

export function prepared(state: State): Step {
  return inPlace(state, 'preparing', (now) =>
    taken({ ...now, step: 'finishing' }, 'stop-accepting', 'call-handoff-hooks', 'tell-commit-in-place'),
  );
}

export function emptied(state: State): Step {
  return inPlace(state, 'finishing', taken);
}

function inPlace(state: State, step: InPlace['step'], next: (state: InPlace) => Step): Step {
  switch (state.is) {
    case 'draining-in-place':
      return state.step === step ? next(state) : impossible(`the re-exec is ${state.step}`);
    case 'shutting-down':
    case 'left':
      return overtaken(state);
    default:
      return impossible('no image is replaced');
  }
}

export function renewalFailed(state: State): Step {
  switch (state.is) {
    case 'draining-in-place':
      if (state.step === 'taking-back') return impossible('it has failed already');
      return taken({ ...state, step: 'taking-back' }, 'accept-again');
    case 'shutting-down':
    case 'left':
      return overtaken(state);
    default:
      return impossible('no image is replaced');
  }
}
