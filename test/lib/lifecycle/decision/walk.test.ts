import { expect, test } from 'vitest';
import { decide } from '../../../../lib/lifecycle/decision/decide.ts';
import type { LifeEvent } from '../../../../lib/lifecycle/decision/event.ts';
import type { Order } from '../../../../lib/lifecycle/decision/order.ts';
import type { State } from '../../../../lib/lifecycle/decision/state.ts';
import type { Step } from '../../../../lib/lifecycle/decision/step.ts';
import { transitions } from '../../../../lib/lifecycle/decision/transitions.ts';
import {
  answers,
  canHappen,
  follow,
  rests,
  type Situation,
  situationAtStart,
  Violation,
  wants,
} from '../../../support/life-world.ts';

type Decide = (state: State, event: LifeEvent) => Step;

/** Every sequence of up to this many events is walked. */
const depth = 8;

const starts = [
  situationAtStart('nobody', false),
  situationAtStart('nobody', true),
  situationAtStart('predecessor', false),
  situationAtStart('owner', false),
  situationAtStart('sharers', false),
];

interface Walk {
  readonly situations: number;
  readonly steps: number;
  readonly sequences: bigint;
  readonly changes: ReadonlySet<string>;
  readonly orders: ReadonlySet<Order>;
}

/** A situation that was come to, with how many sequences of events lead there, and the first of them. */
interface Place {
  readonly situation: Situation;
  readonly sequences: bigint;
  readonly way: readonly string[];
}

/**
 * Walks every sequence: those that lead to the same situation go on together, and are counted.
 *
 * @param length how many events; `Infinity`: until nothing comes up that was not there before
 */
function walk(decideIt: Decide, length: number): Walk {
  const known = new Set<string>();
  const changes = new Set<string>();
  const orders = new Set<Order>();
  let steps = 0;
  let sequences = 0n;
  let places = new Map<string, Place>(
    starts.map((situation) => [JSON.stringify(situation), { situation, sequences: 1n, way: [nameOf(situation)] }]),
  );
  for (let done = 0; done < length && places.size > 0; done += 1) {
    const next = new Map<string, Place>();
    for (const [key, place] of places) {
      const isNew = !known.has(key);
      known.add(key);
      if (!isNew && length === Number.POSITIVE_INFINITY) continue;
      if (place.situation.world.over) continue;
      let leaves = rests(place.situation);
      for (const event of [...wants, ...answers]) {
        if (!canHappen(place.situation, event)) continue;
        const way = [...place.way, labelOf(event)];
        const step = decideIt(place.situation.state, event);
        const after = tryTo(() => follow(place.situation, event, step), way);
        sequences += place.sequences;
        if (isNew) steps += 1;
        if (step.is === 'taken' || step.is === 'overtaken') for (const order of step.orders) orders.add(order);
        const { state } = place.situation;
        if (state.is !== after.state.is) changes.add(`${state.is} ${after.state.is}`);
        if (answers.includes(event) && JSON.stringify(state) !== JSON.stringify(after.state)) leaves = true;
        if (after.world.over) leaves = true;
        const to = JSON.stringify(after);
        const before = next.get(to);
        next.set(to, {
          situation: after,
          sequences: (before?.sequences ?? 0n) + place.sequences,
          way: before?.way ?? way,
        });
      }
      if (!leaves) throw new Violation(`there is no way out: ${place.way.join(', ')}`);
    }
    places = next;
  }
  return { situations: known.size, steps, sequences, changes, orders };
}

function tryTo<Value>(act: () => Value, way: readonly string[]): Value {
  try {
    return act();
  } catch (error) {
    throw new Violation(`${(error as Error).message}, after: ${way.join(', ')}`);
  }
}

function nameOf({ state }: Situation): string {
  return state.is === 'starting' && state.rehearsal ? 'a rehearsal' : `a start with ${state.before} before it`;
}

function labelOf(event: LifeEvent): string {
  const details = Object.values(event).filter((value) => typeof value === 'string');
  return details.join(' ');
}

test('what is promised holds after every sequence of eight events', () => {
  const { situations, steps, sequences, changes } = walk(decide, depth);
  console.log(`${sequences} sequences of up to ${depth} events, ${situations} situations, ${steps} different steps`);
  expect(sequences).toBeGreaterThan(100_000_000n);
  expect(situations).toBeGreaterThan(300);
  expect(steps).toBeGreaterThan(3_000);
  // What may follow on what is the table's, no more, and no less.
  const listed = Object.entries(transitions).flatMap(([from, targets]) =>
    Object.keys(targets).map((to) => `${from} ${to}`),
  );
  expect([...changes].sort()).toEqual(listed.sort());
});

test('it holds in every situation that there is, however many events it takes', () => {
  const { situations, steps } = walk(decide, Number.POSITIVE_INFINITY);
  console.log(`${situations} situations in all, ${steps} steps`);
  expect(situations).toBeGreaterThan(walk(decide, depth).situations);
});

/** A mistake in the machine: what `decide` says is changed where `concerns` says so. */
function mistaken(concerns: (state: State, event: LifeEvent) => boolean, change: (step: Step) => Step): Decide {
  return (state, event) => {
    const step = decide(state, event);
    return concerns(state, event) ? change(step) : step;
  };
}

function without(...forgotten: readonly Order[]): (step: Step) => Step {
  return (step) =>
    'orders' in step ? { ...step, orders: step.orders.filter((order) => !forgotten.includes(order)) } : step;
}

test.each<[string, Decide, RegExp]>([
  [
    'a commit that goes on accepting',
    mistaken((_, { is }) => is === 'successor-ready', without('stop-accepting')),
    /handed over, and accepts on/,
  ],
  [
    'a successor that dies, and nobody takes the service back',
    mistaken((_, { is }) => is === 'successor-died', without('accept-again')),
    /nobody accepts after a commit/,
  ],
  [
    'a stop while something accepts again, which then goes on',
    mistaken(({ is }, event) => is === 'shutting-down' && event.is === 'accepts-again', without('stop-accepting')),
    /told to stop, and accepts/,
  ],
  [
    'a process that forgets who stands beside it',
    mistaken(
      (_, event) => event.is === 'successor-ready' && event.role === 'inherits-later',
      (step) => ('state' in step ? { ...step, state: { ...step.state, heir: false } as State } : step),
    ),
    /wrong about who stands beside it/,
  ],
  [
    'a pause that nobody undoes when the one beside it is gone',
    mistaken(({ is }, event) => is === 'paused' && event.is === 'heir-left', without('accept-again')),
    /a return that nobody orders, or nobody makes/,
  ],
  [
    'one beside the owner that is reached on the control path',
    mistaken(
      ({ before }, { is }) => before === 'owner' && is === 'took-over',
      (step) => ('orders' in step ? { ...step, orders: [...step.orders, 'open-control'] } : step),
    ),
    /two are reached on the control path/,
  ],
  [
    'a notice that never ends',
    mistaken(({ is }, event) => is === 'serving' && event.is === 'stop', without('give-notice')),
    /no way out/,
  ],
  [
    'a shutdown that takes the socket files of others along',
    mistaken(
      ({ is }, event) => is === 'serving' && event.is === 'stop',
      (step) =>
        'orders' in step
          ? { ...step, orders: step.orders.map((order) => (order === 'close-listeners' ? 'remove-listeners' : order)) }
          : step,
    ),
    /socket files of others/,
  ],
  [
    'a second drain beside the one that is under way',
    mistaken(
      ({ is }, event) => is === 'draining' && event.is === 'stop',
      (step) => ('orders' in step ? { ...step, orders: [...step.orders, 'drain'] } : step),
    ),
    /two drains/,
  ],
])('a mistake is found: %s', (_, decideIt, found) => {
  expect(() => walk(decideIt, depth)).toThrow(found);
});
