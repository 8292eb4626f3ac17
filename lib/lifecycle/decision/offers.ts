import type { Order } from './order.ts';
import { isGuest, type State } from './state.ts';
import { impossible, overtaken, type Refusal, refused, type Step, taken } from './step.ts';
import { companyOf, stopOwner } from './stops.ts';

/** What follows when somebody wants to come after this process, or beside it, and when it rests. */

type Offering = State & { readonly is: 'offering' };

/** Why a process that is no owner, or busy, may not begin anything. */
export function whyNotOwning(state: State): Refusal {
  switch (state.is) {
    case 'offering':
      return 'offering';
    case 'rehearsing':
    case 'draining-in-place':
      return 'renewing';
    case 'starting':
    case 'taking-over':
      return 'not-ready';
    default:
      return 'not-owner';
  }
}

export function offer(state: State): Step {
  switch (state.is) {
    case 'serving':
    case 'announcing':
      return taken({ is: 'offering', from: state.is, afterwards: 'nothing', ...companyOf(state) });
    case 'paused':
      // What accepts again would go on in the middle of the offer, and after its commit.
      if (state.next === 'resume') return refused('resuming');
      return taken({ is: 'offering', from: 'paused', afterwards: 'nothing', ...companyOf(state) });
    default:
      return refused(whyNotOwning(state));
  }
}

/**
 * The newline was read. One that replaces this process is the owner from here on: this one stops accepting, keeps its copies,
 * and drains, in one step without a pause.
 */
export function successorReady(state: State, role: 'replaces' | 'inherits-later' | 'shares'): Step {
  switch (state.is) {
    case 'offering':
      if (role === 'replaces') return commit(state);
      // Only one inherits: the first.
      if (role === 'inherits-later' && !state.heir) {
        return settle({ ...state, heir: true }, 'stand-beside-heir');
      }
      return settle(state, 'stand-beside-guest');
    case 'shutting-down':
    case 'left':
      return overtaken(state);
    default:
      return impossible('nobody was offered anything');
  }
}

function commit(state: Offering): Step {
  const noticeIsOver = state.afterwards === 'stop';
  return taken(
    // One that was about to stop is not to serve again if this successor dies.
    { is: 'draining', step: 'finishing', told: state.from === 'announcing', ...companyOf(state) },
    // First: whoever drains for this process must not step in when it leaves.
    ...(state.before === 'nobody' ? [] : (['release-predecessor'] as const)),
    ...(state.heir ? (['release-heir'] as const) : []),
    'stop-accepting',
    'hand-over',
    'call-handoff-hooks',
    'drain-for-successor',
    ...(noticeIsOver ? (['shorten-drain'] as const) : []),
    'tell-commit',
  );
}

export function offerFailed(state: State): Step {
  switch (state.is) {
    case 'offering':
      return settle(state);
    case 'draining':
    case 'shutting-down':
    case 'left':
      return overtaken(state);
    default:
      return impossible('nobody was offered anything');
  }
}

/** An offer is over, and this process is what it was before; what has come up meanwhile follows. */
function settle(state: Offering, ...orders: readonly Order[]): Step {
  const company = companyOf(state);
  switch (state.afterwards) {
    case 'stop':
      return stopOwner(state, orders, isGuest(state) || state.heir ? ['watch-sharers'] : []);
    case 'resume':
      return taken({ is: 'paused', next: 'resume', ...company }, ...orders, 'accept-again');
    case 'nothing':
      switch (state.from) {
        case 'serving':
          return taken({ is: 'serving', ...company }, ...orders, 'accept-late');
        case 'announcing':
          return taken({ is: 'announcing', ...company }, ...orders);
        case 'paused':
          return taken({ is: 'paused', next: 'stay', ...company }, ...orders);
      }
  }
}

/** Stops accepting, and stays: reachable, and with its listeners. */
export function pause(state: State): Step {
  switch (state.is) {
    case 'serving':
      return taken({ is: 'paused', next: 'stay', ...companyOf(state) }, 'pause');
    case 'paused':
      return state.next === 'stay' ? taken(state) : refused('resuming');
    default:
      return refused(whyNotServing(state));
  }
}

export function resume(state: State): Step {
  switch (state.is) {
    case 'serving':
      return taken(state);
    case 'paused':
      return state.next === 'resume' ? taken(state) : taken({ ...state, next: 'resume' }, 'accept-again');
    default:
      return refused(whyNotServing(state));
  }
}

/** For what can be done from nothing but the usual service. */
export function whyNotServing(state: State): Refusal {
  if (state.is === 'paused') return 'paused';
  return state.is === 'announcing' ? 'told-to-stop' : whyNotOwning(state);
}
