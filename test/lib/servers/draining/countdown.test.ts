import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Countdown } from '../../../../lib/servers/draining/countdown.ts';
import { never } from '../../../support/never.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('is over when its time is, and not before', () => {
  const countdown = new Countdown(1_000);
  expect(countdown.left).toBe(1_000);
  vi.advanceTimersByTime(999);
  expect(countdown.over.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(countdown.over.aborted).toBe(true);
  expect(countdown.over.reason).toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
  expect(countdown.left).toBe(0);
});

it('can be shortened and never put off', () => {
  const countdown = new Countdown(1_000);
  countdown.shorten(5_000);
  expect(countdown.left).toBe(1_000);
  countdown.shorten(100);
  vi.advanceTimersByTime(100);
  expect(countdown.over.aborted).toBe(true);
});

it('one without an end gets one', () => {
  const countdown = new Countdown(Number.POSITIVE_INFINITY);
  expect(vi.getTimerCount()).toBe(0);
  countdown.shorten(0);
  expect(countdown.over.aborted).toBe(true);
});

it('may be longer than a timer can be set to', () => {
  const countdown = new Countdown(2 ** 31 + 1_000);
  vi.advanceTimersByTime(2 ** 31);
  expect(countdown.over.aborted).toBe(false);
  vi.advanceTimersByTime(1_000);
  expect(countdown.over.aborted).toBe(true);
});

it('tells how much is left, at once and when that was shortened, as long as anybody wants to know', () => {
  const countdown = new Countdown(1_000);
  const told: number[] = [];
  const ended = new AbortController();
  countdown.watch((left) => told.push(left), ended.signal);
  countdown.watch(() => {}, never);
  countdown.shorten(500);
  countdown.shorten(900);
  ended.abort();
  countdown.shorten(1);
  expect(told).toEqual([1_000, 500]);
});

it('that nobody waits for keeps no process alive, then or later', () => {
  const countdown = new Countdown(1_000);
  countdown[Symbol.dispose]();
  countdown.shorten(10);
  expect(vi.getTimerCount()).toBe(0);
});
