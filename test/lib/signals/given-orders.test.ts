import { expect, it } from 'vitest';
import { GivenOrders } from '../../../lib/signals/given-orders.ts';

function setUp(within = 1000) {
  const clock = { now: 5 };
  return { clock, orders: new GivenOrders(within, () => clock.now) };
}

it('a stop that is repeated within the time is the same one, counted from the first, and the hammer after it', () => {
  const { clock, orders } = setUp();
  expect(orders.hear('shutdown', 'SIGINT')).toBe('order');
  for (const after of [0, 3, 999]) {
    clock.now = 5 + after;
    expect(orders.hear('shutdown', 'SIGINT')).toBe('moot');
  }
  clock.now = 1005;
  expect(orders.hear('shutdown', 'SIGINT')).toBe('insisted');
  expect(orders.hear('shutdown', 'SIGINT')).toBe('insisted');
});

it('another signal that says the same is told apart from the same signal', () => {
  const { orders } = setUp();
  const heard = (['SIGTERM', 'SIGINT', 'SIGTERM', 'SIGINT', 'SIGQUIT'] as const).map((signal) =>
    orders.hear('shutdown', signal),
  );
  expect(heard).toEqual(['order', 'repeated', 'moot', 'moot', 'repeated']);
});

it.each(['upgrade', 'keep', 'reexec', 'pause'] as const)('%s, repeated, is one, and later another', (action) => {
  const { clock, orders } = setUp();
  expect(orders.hear(action, 'SIGHUP')).toBe('order');
  expect(orders.hear(action, 'SIGHUP')).toBe('moot');
  clock.now += 1000;
  expect(orders.hear(action, 'SIGHUP')).toBe('order');
  orders.cameToNothing(action);
  expect(orders.hear(action, 'SIGHUP')).toBe('order');
});

it('another change in between makes it a new one: pause, back, pause', () => {
  const { orders } = setUp();
  const heard = (['pause', 'upgrade', 'pause'] as const).map((action) => orders.hear(action, 'SIGWINCH'));
  expect(heard).toEqual(['order', 'order', 'order']);
});

it('after a stop nothing else has a sense, until the process serves again', () => {
  const { clock, orders } = setUp();
  orders.hear('upgrade', 'SIGHUP');
  orders.hear('shutdown', 'SIGTERM');
  clock.now += 5000;
  expect(orders.hear('upgrade', 'SIGHUP')).toBe('moot');
  orders.forget();
  expect(orders.hear('upgrade', 'SIGHUP')).toBe('order');
  expect(orders.hear('shutdown', 'SIGTERM')).toBe('order');
});

it.each(['hammer', 'reopen', 'status', 'none'] as const)('%s is done as often as it is said', (action) => {
  const { orders } = setUp();
  expect([1, 2].map(() => orders.hear(action, 'SIGUSR1'))).toEqual(['order', 'order']);
});

it('with 0 nothing is a repetition', () => {
  const { orders } = setUp(0);
  expect([1, 2].map(() => orders.hear('upgrade', 'SIGHUP'))).toEqual(['order', 'order']);
  expect([1, 2].map(() => orders.hear('shutdown', 'SIGINT'))).toEqual(['order', 'insisted']);
});
