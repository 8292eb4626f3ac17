import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DrainClock } from '../../../../lib/lifecycle/parts/drain-clock.ts';

const start = Date.parse('2026-12-01T06:00:00Z');

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});

afterEach(() => vi.useRealTimers());

it('tells when a drain began, how long it has taken and when it has to be over', () => {
  const clock = new DrainClock();
  clock.begin(10_000);
  const [since, until] = [clock.since, clock.until].map((date) => Date.parse(date as string));
  expect((until as number) - (since as number)).toBe(10_000);
  vi.advanceTimersByTime(4_000);
  expect(clock.elapsed).toBe(4_000);
  expect(Date.parse(clock.until as string)).toBe(until);
  clock.end();
});

it('one that never has to be over has no date', () => {
  const clock = new DrainClock();
  clock.begin(Number.POSITIVE_INFINITY);
  expect([clock.until, clock.since]).toEqual([null, expect.any(String)]);
});

it('is over at its time, and at an earlier one where that was brought forward, never at a later one', () => {
  const clock = new DrainClock();
  const { over } = clock.begin(10_000);
  clock.shorten(2_000);
  clock.shorten(5_000);
  vi.advanceTimersByTime(1_999);
  expect(over.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(over.reason).toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
});

it('another drain has its own time: the one before it ends nothing any more', () => {
  const clock = new DrainClock();
  const first = clock.begin(1_000);
  vi.advanceTimersByTime(500);
  const second = clock.begin(5_000);
  expect(clock.elapsed).toBe(0);
  vi.advanceTimersByTime(4_000);
  expect([first.over.aborted, second.over.aborted]).toEqual([false, false]);
  vi.advanceTimersByTime(1_000);
  expect(second.over.aborted).toBe(true);
});

it('a stop is remembered for the drain that comes after the one that was called off', () => {
  const clock = new DrainClock();
  expect(clock.leftOfStop).toBe(Number.POSITIVE_INFINITY);
  const { over } = clock.begin(60_000);
  clock.stopWithin(3_000);
  clock.begin(60_000);
  vi.advanceTimersByTime(1_000);
  expect(clock.leftOfStop).toBe(2_000);
  clock.stopWithin(9_000);
  expect(clock.leftOfStop).toBe(2_000);
  vi.advanceTimersByTime(5_000);
  expect([clock.leftOfStop, over.aborted]).toEqual([0, false]);
  clock.end();
});

it('what is shortened has no bearing on what a stop has set', () => {
  const clock = new DrainClock();
  clock.begin(60_000);
  clock.shorten(1_000);
  expect(clock.leftOfStop).toBe(Number.POSITIVE_INFINITY);
  clock.end();
});

it('nothing is left running at its end', () => {
  const clock = new DrainClock();
  clock.begin(60_000);
  clock.end();
  expect(vi.getTimerCount()).toBe(0);
});
