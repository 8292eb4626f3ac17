import { expect, it } from 'vitest';
import type { LifeEvent } from '../../../../lib/lifecycle/decision/event.ts';
import type { Order } from '../../../../lib/lifecycle/decision/order.ts';
import type { State } from '../../../../lib/lifecycle/decision/state.ts';
import { Life } from '../../../../lib/lifecycle/parts/life.ts';

const terms = { timeout: null, idle: null };
const stop: LifeEvent = { is: 'stop', notice: 'none', terms };
const serving: State = { is: 'serving', before: 'nobody', heir: false };

/** A life whose listener writes down what it is told; what it does at an order is a test's. */
class RecordedLife {
  readonly told: string[] = [];
  readonly life: Life;
  readonly #acts: { readonly [order in Order]?: (life: Life, event: LifeEvent) => void };

  constructor(state: State, acts: { readonly [order in Order]?: (life: Life, event: LifeEvent) => void } = {}) {
    this.#acts = acts;
    this.life = new Life(state, {
      onPhase: ({ from, to, cause }) => this.told.push(`${from} > ${to}: ${cause}`),
      carryOut: (order, event) => {
        this.told.push(order);
        this.#acts[order]?.(this.life, event);
      },
    });
  }
}

it('what has happened changes the state, is told, and is followed by its orders', () => {
  const { life, told } = new RecordedLife({ is: 'starting', before: 'nobody', rehearsal: false });
  expect(life.report({ is: 'ready' })).toBe(true);
  expect(life.state).toEqual({ is: 'taking-over', before: 'nobody', rehearsal: false });
  expect(told).toEqual(['starting > taking-over: ready()', 'take-over']);
});

it('an order comes with the event that it follows from', () => {
  const events: LifeEvent[] = [];
  const { life } = new RecordedLife(serving, { drain: (_, event) => events.push(event) });
  life.report(stop);
  expect(events).toEqual([stop]);
});

it('what changes no phase is not told as one', () => {
  const { life, told } = new RecordedLife(serving);
  expect(life.report({ is: 'resume' })).toBe(true);
  expect(told).toEqual([]);
});

it('all that one event orders is carried out before what another one orders that happens meanwhile', () => {
  const { life, told } = new RecordedLife(serving, {
    'stop-accepting-connections': (own) => {
      own.report({ is: 'retire', terms });
      // The state is that of both, at once: who looks at it must not act on what is over.
      expect(own.state).toMatchObject({ is: 'shutting-down', told: true });
    },
    drain: (own) => own.report({ is: 'drained' }),
  });
  life.report(stop);
  expect(told).toEqual([
    'serving > shutting-down: told to stop',
    'stop-accepting-connections',
    'hasten-generations',
    'remove-listeners',
    'call-shutdown-hooks',
    'drain',
    'shorten-drain',
    'shutting-down > left: drained',
    'leave',
  ]);
});

it('one order that fails keeps no other from being carried out, and whoever has reported hears of the first', () => {
  const { life, told } = new RecordedLife(serving, {
    'stop-accepting-connections': () => {
      throw new Error('the first');
    },
    'remove-listeners': () => {
      throw new Error('the second');
    },
  });
  expect(() => life.report(stop)).toThrow('the first');
  expect(told.slice(-2)).toEqual(['call-shutdown-hooks', 'drain']);
  expect(life.state.is).toBe('shutting-down');
  // Nothing of it is left over for what comes next.
  expect(life.report({ is: 'drained' })).toBe(true);
  expect(told.slice(-2)).toEqual(['shutting-down > left: drained', 'leave']);
});

it('an order that fails in the middle of another event’s is heard of by the outermost', () => {
  const inner: unknown[] = [];
  const { life } = new RecordedLife(serving, {
    drain: (own) => inner.push(own.report({ is: 'drained' })),
    leave: () => {
      throw new Error('it cannot leave');
    },
  });
  expect(() => life.report(stop)).toThrow('it cannot leave');
  expect(inner).toEqual([true]);
});

it('what is wanted and may not be is refused with the reason, and nothing changes', () => {
  const { life, told } = new RecordedLife({ is: 'starting', before: 'nobody', rehearsal: false });
  expect(() => life.report({ is: 'offer' })).toThrow(expect.objectContaining({ code: 'ERR_HANDOFF_NOT_READY' }));
  life.report({ is: 'ready' });
  expect(() => life.report({ is: 'ready' })).toThrow(/called twice/);
  expect(told).toEqual(['starting > taking-over: ready()', 'take-over']);
});

it('what cannot happen is said to be impossible, with the state and the reason', () => {
  const { life } = new RecordedLife(serving);
  expect(() => life.report({ is: 'drained' })).toThrow(
    '"drained" cannot happen to a process that is serving: nothing drains to its end',
  );
  expect(life.state).toBe(serving);
});

it('an activity that a stop has overtaken is told so, and what it began is undone', () => {
  const { life, told } = new RecordedLife({ is: 'taking-over', before: 'nobody', rehearsal: false });
  life.reach({ is: 'accepted' });
  life.report(stop);
  told.length = 0;
  expect(() => life.reach({ is: 'accepted' })).toThrow(
    expect.objectContaining({
      code: 'ERR_HANDOFF_ABORTED',
      message: 'This process was told to shut down while it was taking-over.',
    }),
  );
  expect(told).toEqual(['stop-accepting']);
});

it('who waits for a change hears of the next event, once, be it one that changes nothing', async () => {
  const { life } = new RecordedLife(serving);
  let changes = 0;
  const waiting = [life.changed(), life.changed()].map((change) => change.then(() => (changes += 1)));
  await Promise.resolve();
  expect(changes).toBe(0);
  life.report({ is: 'resume' });
  await Promise.all(waiting);
  expect(changes).toBe(2);
});

it('who waits for a change is not told of what was refused', async () => {
  const { life } = new RecordedLife({ is: 'starting', before: 'nobody', rehearsal: false });
  let changed = false;
  void life.changed().then(() => {
    changed = true;
  });
  expect(() => life.report({ is: 'pause' })).toThrow();
  await Promise.resolve();
  expect(changed).toBe(false);
});
