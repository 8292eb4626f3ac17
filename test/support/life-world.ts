import type { LifeEvent, StopTerms } from '../../lib/lifecycle/decision/event.ts';
import type { Order } from '../../lib/lifecycle/decision/order.ts';
import { type Before, hasHeir, isServed, type State } from '../../lib/lifecycle/decision/state.ts';
import type { Step } from '../../lib/lifecycle/decision/step.ts';

const terms: StopTerms = { timeout: null, idle: null };

/** What the decisions are about, as much of it as their promises speak of: who accepts, who is reached, what is under way. */
export interface World {
  readonly accepts: boolean;
  /** The listeners are gone for good. */
  readonly closed: boolean;
  readonly control: 'none' | 'held' | 'open';
  /** Those before this process: as they are, and not as it believes them to be. */
  readonly before: 'none' | 'serves' | 'drains';
  readonly connected: boolean;
  /** The successor, from commit on. */
  readonly next: 'none' | 'serves';
  readonly heir: boolean;
  readonly arrival: 'no' | 'accepting' | 'deciding';
  readonly attempt: 'no' | 'offer' | 'preflight';
  readonly renewal: 'no' | 'preparing' | 'finishing';
  readonly returning: boolean;
  readonly notice: boolean;
  readonly drain: 'no' | 'for-successor' | 'alone';
  /** The process has ended, or is another image. */
  readonly over: boolean;
}

/** A process and its world. */
export interface Situation {
  readonly state: State;
  readonly world: World;
}

export function situationAtStart(before: Before, rehearsal: boolean): Situation {
  return {
    state: { is: 'starting', before, rehearsal },
    world: {
      accepts: false,
      closed: false,
      // Who shares is given no control path, and who starts fresh has bound it.
      control: before === 'sharers' || rehearsal ? 'none' : 'held',
      before: before === 'nobody' ? 'none' : 'serves',
      connected: false,
      next: 'none',
      heir: false,
      arrival: 'no',
      attempt: 'no',
      renewal: 'no',
      returning: false,
      notice: false,
      drain: 'no',
      over: false,
    },
  };
}

/** What can be wanted at any time. */
export const wants: readonly LifeEvent[] = [
  { is: 'ready' },
  { is: 'offer' },
  { is: 'renew' },
  { is: 'pause' },
  { is: 'resume' },
  { is: 'stop', notice: 'first', terms },
  { is: 'stop', notice: 'none', terms },
  { is: 'retire', terms },
];

/** What activities can come to, and what others can do. */
export const answers: readonly LifeEvent[] = [
  { is: 'accepted' },
  { is: 'took-over', decision: 'committed' },
  { is: 'took-over', decision: 'orphaned' },
  { is: 'take-over-failed', error: null },
  { is: 'successor-ready', role: 'replaces' },
  { is: 'successor-ready', role: 'inherits-later' },
  { is: 'successor-ready', role: 'shares' },
  { is: 'offer-failed' },
  { is: 'preflight-passed' },
  { is: 'preflight-failed' },
  { is: 'prepared' },
  { is: 'emptied' },
  { is: 'renewal-failed' },
  { is: 'accepts-again' },
  { is: 'notice-over', terms },
  { is: 'drained' },
  { is: 'successor-died' },
  { is: 'heir-leaving' },
  { is: 'heir-left' },
  { is: 'called-off' },
  { is: 'predecessor-left', how: 'drained' },
  { is: 'predecessor-left', how: 'died' },
  { is: 'predecessor-left', how: 'released' },
];

/** Whether the world can bring that about now: an activity reports only while it runs, and only who is there leaves. */
export function canHappen({ state, world }: Situation, event: LifeEvent): boolean {
  switch (event.is) {
    case 'accepted':
      return world.arrival === 'accepting';
    case 'took-over':
      if (event.decision === 'orphaned' && world.before === 'none') return false;
      return world.arrival === 'deciding';
    case 'take-over-failed':
      return world.arrival !== 'no';
    case 'successor-ready':
    case 'offer-failed':
      return world.attempt === 'offer';
    case 'preflight-passed':
    case 'preflight-failed':
      return world.attempt === 'preflight';
    case 'prepared':
      return world.renewal === 'preparing';
    case 'emptied':
      return world.renewal === 'finishing';
    case 'renewal-failed':
      return world.renewal !== 'no';
    case 'accepts-again':
      return world.returning;
    case 'notice-over':
      return world.notice;
    case 'drained':
      return world.drain !== 'no';
    case 'successor-died':
      return world.drain === 'for-successor';
    case 'heir-leaving':
    case 'heir-left':
      return world.heir;
    case 'called-off':
      return state.before !== 'nobody' && (state.is === 'starting' || state.is === 'taking-over');
    case 'predecessor-left':
      // Only the owner that a process stands beside can give its role to another.
      return world.connected && (event.how !== 'released' || state.before === 'owner');
    default:
      return true;
  }
}

/** What it means that something has happened, before anything is decided. */
function happened(world: World, { before }: State, event: LifeEvent, counts: boolean): World {
  switch (event.is) {
    case 'accepted':
      // Whatever was ordered meanwhile: it has begun, and ends by accepting.
      return { ...world, arrival: counts ? 'deciding' : 'no', accepts: true };
    case 'took-over': {
      const there = world.before !== 'none';
      if (!counts) return { ...world, arrival: 'no' };
      if (event.decision === 'orphaned' && before !== 'sharers') return { ...world, arrival: 'no', before: 'none' };
      const replaced = before === 'predecessor';
      return { ...world, arrival: 'no', connected: there, before: replaced ? 'drains' : world.before };
    }
    case 'take-over-failed':
      return { ...world, arrival: 'no' };
    case 'offer':
      return counts ? { ...world, attempt: 'offer' } : world;
    case 'renew':
      return counts ? { ...world, attempt: 'preflight' } : world;
    case 'successor-ready':
    case 'offer-failed':
    case 'preflight-failed':
      return { ...world, attempt: 'no' };
    case 'preflight-passed':
      return { ...world, attempt: 'no', renewal: counts ? 'preparing' : 'no' };
    case 'prepared':
      return { ...world, renewal: counts ? 'finishing' : 'no' };
    case 'emptied':
      return { ...world, renewal: 'no', over: counts };
    case 'renewal-failed':
      return { ...world, renewal: 'no' };
    case 'accepts-again':
      // As above.
      return { ...world, returning: false, accepts: true };
    case 'notice-over':
      return { ...world, notice: false };
    case 'drained':
      return { ...world, drain: 'no' };
    case 'successor-died':
      return { ...world, drain: 'no', next: 'none' };
    case 'heir-left':
      return { ...world, heir: false };
    case 'predecessor-left':
      // Whoever was given the role serves in its place; and of those that share some are always left.
      return {
        ...world,
        connected: false,
        before: event.how === 'released' || before === 'sharers' ? world.before : 'none',
      };
    default:
      return world;
  }
}

/** What is broken, in words. */
export class Violation extends Error {}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Violation(what);
}

/** Carries an order out, if it fits what the world is. */
function carryOut(world: World, order: Order): World {
  switch (order) {
    case 'take-over':
      must(world.arrival === 'no', 'two arrivals');
      return { ...world, arrival: 'accepting' };
    case 'pass-rehearsal':
      return { ...world, over: true };
    case 'settle-in':
      must(world.accepts, 'settled in without accepting');
      return world.before === 'serves' ? world : opened(world);
    case 'let-go-of-inheritance':
      return { ...world, control: 'none' };
    case 'hand-over':
      must(!world.accepts, 'handed over, and accepts on');
      return { ...world, next: 'serves' };
    case 'drain-for-successor':
      must(world.drain === 'no', 'two drains');
      return { ...world, drain: 'for-successor' };
    case 'stand-beside-heir':
      must(!world.heir, 'two heirs');
      return { ...world, heir: true };
    case 'accept-again':
      must(!world.returning, 'two returns');
      must(!world.closed, 'a return to listeners that are closed');
      return { ...world, returning: true };
    case 'return-from-pause':
    case 'return-from-drain':
    case 'return-in-place':
      must(world.accepts, 'returned without accepting');
      return world.before === 'serves' ? world : opened(world);
    case 'open-control':
      must(world.control !== 'open', 'the control path was opened twice');
      return opened(world);
    case 'close-control':
      return { ...world, control: 'none' };
    case 'pause':
      return { ...world, accepts: false };
    case 'stop-accepting':
    case 'stop-accepting-connections':
      return { ...world, accepts: false, control: world.control === 'open' ? 'held' : world.control };
    case 'close-listeners':
    case 'remove-listeners':
    case 'withdraw-listeners':
      must(!world.accepts, 'closed what still accepts');
      if (order === 'remove-listeners') {
        must(world.before !== 'serves' && !world.heir, 'removed the socket files of others');
      }
      return { ...world, closed: true, control: order === 'remove-listeners' ? 'none' : world.control };
    case 'drain':
    case 'drain-called-off':
    case 'drain-what-is-left':
      must(world.drain === 'no', 'two drains');
      must(!world.accepts, 'drains to its end, and accepts on');
      return { ...world, drain: 'alone' };
    case 'give-notice':
      must(!world.notice, 'two notices');
      return { ...world, notice: true };
    case 'call-off-attempt':
      must(world.attempt !== 'no', 'called off what is not under way');
      return world;
    case 'take-back-survivors':
      must(world.renewal !== 'no' || world.returning, 'took back what nobody had set aside');
      return world;
    case 'release-heir':
      must(world.heir, 'released nobody');
      return world;
    case 'leave':
      must(world.drain === 'no', 'left with something in flight');
      return world;
    default:
      return world;
  }
}

function opened(world: World): World {
  return world.control === 'held' ? { ...world, control: 'open' } : world;
}

/**
 * What there is after `event`, for whatever was decided: nothing else where it is refused.
 */
export function follow({ state, world }: Situation, event: LifeEvent, step: Step): Situation {
  if (step.is === 'refused') return { state, world };
  if (step.is === 'impossible') throw new Violation(`it has happened, and cannot: ${step.because}`);
  const after = step.orders.reduce(carryOut, happened(world, state, event, step.is === 'taken'));
  const now = { state: step.state, world: after };
  checkPromises(now);
  return now;
}

/** The invariants of docs/architecture.md. */
function checkPromises({ state, world }: Situation): void {
  if (world.over) return;
  const others = world.before === 'serves' || world.next === 'serves' || world.heir;
  const somebody = world.accepts || others || world.returning;
  switch (state.is) {
    case 'serving':
    case 'announcing':
    case 'rehearsing':
      must(world.accepts, 'the owner does not accept');
      break;
    case 'offering':
      must(world.accepts === (state.from === 'serving' || state.from === 'announcing'), 'an offer stops the service');
      break;
    case 'paused':
      must(!world.accepts, 'it is paused, and accepts');
      must(world.returning === (state.next === 'resume'), 'a return that nobody orders, or nobody makes');
      break;
    case 'draining':
      must(!world.accepts, 'two owners accept');
      must(somebody, 'nobody accepts after a commit');
      break;
    case 'draining-in-place':
      must(state.step !== 'preparing' || world.accepts, 'it stops before everything is prepared');
      break;
    case 'shutting-down':
    case 'left':
      must(!world.accepts, 'it was told to stop, and accepts');
      break;
    case 'starting':
    case 'taking-over':
      break;
  }
  if (isServed(state) && state.is !== 'left' && state.is !== 'draining-in-place') {
    must(somebody, 'it says that clients are served, and nobody accepts');
  }
  must(
    world.control !== 'open' || (world.next === 'none' && (world.before !== 'serves' || state.before === 'sharers')),
    'two are reached on the control path',
  );
  must(hasHeir(state) === world.heir, 'it is wrong about who stands beside it');
  must((state.before === 'draining') === (world.before === 'drains'), 'it is wrong about its predecessor');
}

/** Whether a process in this state stays in it by itself. */
export function rests({ state, world }: Situation): boolean {
  if (world.over) return true;
  return ['starting', 'serving', 'left'].includes(state.is) || (state.is === 'paused' && state.next === 'stay');
}
