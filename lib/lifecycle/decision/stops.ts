import type { Order } from './order.ts';
import { type Company, hasHeir, isAlone, isGuest, type State } from './state.ts';
import { impossible, overtaken, type Step, taken } from './step.ts';

/** What follows when a process is to end, and what a drain comes to. */

/** `'retire'` is for one that its primary, or a later generation, looks after: it does not look for others by itself. */
export function stop(state: State, by: 'order' | 'retire', notice: 'first' | 'none'): Step {
  const watch: Order[] = by === 'order' && !isAlone(state) ? ['watch-sharers'] : [];
  switch (state.is) {
    case 'starting':
    case 'taking-over':
      // The predecessor serves, where there is one: closing the connection leaves it the owner.
      return taken(
        { is: 'shutting-down', why: 'shutdown', told: true, ...companyOf(state) },
        'refuse-predecessor',
        'stop-accepting',
        'call-shutdown-hooks',
        'drain',
        ...watch,
      );
    case 'announcing':
      if (notice === 'first') return taken(state);
      return stopOwner(state, [], watch);
    case 'serving':
      // Where others serve on, nobody has to be told before.
      if (notice === 'first' && isAlone(state)) {
        return taken({ is: 'announcing', ...companyOf(state) }, 'give-notice');
      }
      return stopOwner(state, [], watch);
    case 'paused':
      return stopOwner(state, [], watch);
    case 'offering':
    case 'rehearsing':
      return stopOwner(state, ['call-off-attempt'], watch);
    case 'draining-in-place':
      return stopOwner(state, [], ['take-back-survivors', ...watch]);
    case 'draining':
    case 'shutting-down':
    case 'left':
      // Who says so waits for this process to end, be there a successor or not.
      return taken({ ...state, told: true }, 'shorten-drain', ...watch);
  }
}

/** Whoever connects from now on is to be refused, and not to wait in a queue that nobody serves. */
export function stopOwner(
  state: State,
  before: readonly Order[],
  after: readonly Order[],
  drain: 'drain' | 'drain-what-is-left' = 'drain',
): Step {
  const company = companyOf(state);
  const leaving: State = { is: 'shutting-down', why: 'shutdown', told: true, ...company };
  const release: Order[] = company.before === 'nobody' ? [] : ['release-predecessor'];
  const listeners: Order[] = isAlone(leaving)
    ? ['stop-accepting-connections', 'hasten-generations', 'remove-listeners']
    : ['stop-accepting', 'close-listeners'];
  return taken(leaving, ...before, ...release, ...listeners, 'call-shutdown-hooks', ...after, drain);
}

export function noticeOver(state: State): Step {
  switch (state.is) {
    case 'announcing':
      return stopOwner(state, [], isAlone(state) ? [] : ['watch-sharers']);
    case 'offering':
      // A successor that has come meanwhile is let through: nobody is refused then.
      return taken({ ...state, afterwards: 'stop' });
    case 'draining':
    case 'shutting-down':
    case 'left':
      return stop(state, 'order', 'none');
    default:
      return impossible('only a process that was told to stop gives notice, and it does not serve again');
  }
}

export function drained(state: State): Step {
  switch (state.is) {
    case 'draining':
      if (state.step === 'taking-back') return impossible('a drain that is taken back has ended');
      return taken({ is: 'left', toAnother: true, told: state.told, ...companyOf(state) }, 'leave');
    case 'shutting-down':
      return taken(
        { is: 'left', toAnother: state.heir || isGuest(state), told: state.told, ...companyOf(state) },
        'leave',
      );
    default:
      return impossible('nothing drains to its end');
  }
}

/** The successor died while this process drained: it serves again, unless it was told to stop meanwhile. */
export function successorDied(state: State): Step {
  if (state.is !== 'draining' || state.step === 'taking-back') return impossible('nothing drains for a successor');
  if (!state.told)
    return taken({ ...state, step: 'taking-back' }, 'write-pid-file', 'take-back-debugger', 'accept-again');
  return taken(
    { is: 'shutting-down', why: 'shutdown', told: true, ...companyOf(state) },
    'write-pid-file',
    'take-back-debugger',
    'drain-what-is-left',
  );
}

/** What was stopped for a pause, a successor or the next image is undone. */
export function acceptsAgain(state: State): Step {
  switch (state.is) {
    case 'paused':
      if (state.next === 'stay') return impossible('nothing is taken back');
      return taken({ is: 'serving', ...companyOf(state) }, 'return-from-pause');
    case 'draining-in-place':
      if (state.step !== 'taking-back') return impossible('nothing was taken back');
      return taken({ is: 'serving', ...companyOf(state) }, 'return-in-place');
    case 'draining':
      if (state.step === 'finishing') return impossible('nothing was taken back');
      return state.told
        ? stopOwner(state, [], [], 'drain-what-is-left')
        : taken({ is: 'serving', ...companyOf(state) }, 'return-from-drain');
    case 'shutting-down':
    case 'left':
      // What began to accept meanwhile must not go on.
      return overtaken(state, 'stop-accepting');
    default:
      return impossible('nothing was stopped');
  }
}

export function companyOf(state: State): Company {
  return { before: state.before, heir: hasHeir(state) };
}
