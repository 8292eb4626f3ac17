import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ReadyReminder } from '../../../../lib/lifecycle/parts/ready-reminder.ts';

let warnings: string[];

beforeEach(() => {
  vi.useFakeTimers();
  warnings = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => {
    warnings.push(String(warning));
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it('reminds once, ten seconds after the last registration', () => {
  let registered = 0;
  using _reminder = new ReadyReminder(() => registered);
  vi.advanceTimersByTime(9_000);
  registered++;
  vi.advanceTimersByTime(10_000);
  expect(warnings).toEqual([]);
  vi.advanceTimersByTime(11_000);
  expect(warnings).toEqual([expect.stringContaining('nothing was registered for 10 seconds')]);
  vi.advanceTimersByTime(60_000);
  process.emit('beforeExit', 0);
  expect(warnings).toHaveLength(1);
});

it('reminds when the process is about to end, every handoff of it', () => {
  const listeners = process.listenerCount('beforeExit');
  using _one = new ReadyReminder(() => 0);
  using _other = new ReadyReminder(() => 0);
  expect(process.listenerCount('beforeExit')).toBe(listeners + 1);
  process.emit('beforeExit', 0);
  expect(warnings).toHaveLength(2);
  expect(process.listenerCount('beforeExit')).toBe(listeners);
});

it('is silent, and leaves nothing behind, where it is disposed of', () => {
  const listeners = process.listenerCount('beforeExit');
  const reminder = new ReadyReminder(() => 0);
  reminder[Symbol.dispose]();
  reminder[Symbol.dispose]();
  vi.advanceTimersByTime(60_000);
  process.emit('beforeExit', 0);
  expect([warnings, process.listenerCount('beforeExit')]).toEqual([[], listeners]);
});
