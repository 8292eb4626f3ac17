import { accepted, calledOff, ready, takeOverFailed, tookOver } from './arrival.ts';
import { heirLeaving, heirLeft, predecessorLeft } from './company.ts';
import type { LifeEvent } from './event.ts';
import { offer, offerFailed, pause, resume, successorReady } from './offers.ts';
import { emptied, preflightFailed, preflightPassed, prepared, renew, renewalFailed } from './renewal.ts';
import type { State } from './state.ts';
import type { Step } from './step.ts';
import { acceptsAgain, drained, noticeOver, stop, successorDied } from './stops.ts';

/**
 * What follows an event: the one place where it is decided. It knows no clock, no promise, no socket and no Node; what it
 * orders is done by activities, which tell it what they have come to.
 */
export function decide(state: State, event: LifeEvent): Step {
  switch (event.is) {
    case 'ready':
      return ready(state);
    case 'accepted':
      return accepted(state);
    case 'took-over':
      return tookOver(state, event.decision);
    case 'take-over-failed':
      return takeOverFailed(state);
    case 'called-off':
      return calledOff(state);
    case 'offer':
      return offer(state);
    case 'successor-ready':
      return successorReady(state, event.role);
    case 'offer-failed':
      return offerFailed(state);
    case 'pause':
      return pause(state);
    case 'resume':
      return resume(state);
    case 'accepts-again':
      return acceptsAgain(state);
    case 'renew':
      return renew(state);
    case 'preflight-passed':
      return preflightPassed(state);
    case 'preflight-failed':
      return preflightFailed(state);
    case 'prepared':
      return prepared(state);
    case 'emptied':
      return emptied(state);
    case 'renewal-failed':
      return renewalFailed(state);
    case 'stop':
      return stop(state, 'order', event.notice);
    case 'retire':
      return stop(state, 'retire', 'none');
    case 'notice-over':
      return noticeOver(state);
    case 'drained':
      return drained(state);
    case 'successor-died':
      return successorDied(state);
    case 'heir-leaving':
      return heirLeaving(state);
    case 'heir-left':
      return heirLeft(state);
    case 'predecessor-left':
      return predecessorLeft(state, event.how);
  }
}
