import type { Order } from './order.ts';
import { hasHeir, isOwner, type State } from './state.ts';
import { impossible, type Step, taken } from './step.ts';

/** What follows when those before a process, or beside it, leave. */

/** Nobody serves any more, and whoever waits for the end waits for this one. */
export function heirLeaving(state: State): Step {
  if (!hasHeir(state)) return impossible('nobody stands beside this process');
  return state.is === 'shutting-down' ? taken(state, 'hurry') : taken(state);
}

/** If the one beside it is why this process pauses, nobody serves any more: it does again, as nginx does. */
export function heirLeft(state: State): Step {
  if (!('heir' in state) || !state.heir) return impossible('nobody stands beside this process');
  const alone = { ...state, heir: false };
  if (alone.is === 'paused') {
    return alone.next === 'resume'
      ? taken(alone, 'forget-heir')
      : taken({ ...alone, next: 'resume' }, 'forget-heir', 'accept-again');
  }
  if (alone.is === 'offering' && alone.from === 'paused') {
    return taken({ ...alone, afterwards: 'resume' }, 'forget-heir');
  }
  return taken(alone, 'forget-heir');
}

/** Where this process stands beside the owner it takes the role that is free, unless that was given to another. */
export function predecessorLeft(state: State, how: 'drained' | 'died' | 'released'): Step {
  if (state.is === 'starting' || state.is === 'taking-over') {
    return impossible('until the decision its end is a part of that');
  }
  switch (state.before) {
    case 'draining':
      return taken({ ...state, before: 'nobody' });
    case 'owner': {
      const hurry: Order[] = state.is === 'shutting-down' ? ['hurry'] : [];
      if (how === 'released') return taken({ ...state, before: 'sharers' }, ...hurry, 'close-control');
      const role: Order[] = isOwner(state) ? ['write-pid-file-if-free', 'open-control'] : [];
      return taken({ ...state, before: 'nobody' }, ...hurry, 'inherit-service', ...role);
    }
    case 'sharers':
      return taken(state);
    case 'nobody':
    case 'predecessor':
      return impossible('nobody is connected');
  }
}
