import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NotifySocket } from '../../../lib/systemd/notify.ts';
import { takeWatchdogInterval, Watchdog } from '../../../lib/systemd/watchdog.ts';
import { NotifyReceiver } from '../../support/notify-receiver.ts';

describe('the interval', () => {
  it.each([
    [{ WATCHDOG_USEC: '3000000', WATCHDOG_PID: String(process.pid) }, 3_000_000],
    [{ WATCHDOG_USEC: '3000000' }, 3_000_000],
    [{ WATCHDOG_USEC: '3000000', WATCHDOG_PID: '1' }, null],
    [{ WATCHDOG_USEC: '0' }, null],
    [{ WATCHDOG_USEC: 'soon' }, null],
    [{ WATCHDOG_PID: String(process.pid) }, null],
  ])('%j is %s, and is read once', (environment: NodeJS.ProcessEnv, interval) => {
    expect(takeWatchdogInterval(environment)).toBe(interval);
    expect(environment).toEqual({});
  });
});

describe('signs of life', () => {
  let receiver: NotifyReceiver;

  beforeEach(() => {
    receiver = new NotifyReceiver();
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
    receiver[Symbol.dispose]();
  });

  it('come at once, and then at half the interval, until the end', () => {
    const watchdog = new Watchdog(new NotifySocket(receiver.path, () => {}), 3_000_000);
    watchdog.start();
    watchdog.start();
    expect(receiver.tags()).toEqual([{ WATCHDOG: '1' }]);
    vi.advanceTimersByTime(1_499);
    expect(receiver.tags()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(receiver.tags()).toEqual([{ WATCHDOG: '1' }]);
    vi.advanceTimersByTime(15_000);
    expect(receiver.tags()).toHaveLength(10);
    watchdog[Symbol.dispose]();
    vi.advanceTimersByTime(15_000);
    expect(receiver.tags()).toEqual([]);
  });

  it.each([1, 2 ** 53])('an interval of %d microseconds does not make a timer that fires all the time', (interval) => {
    using watchdog = new Watchdog(new NotifySocket(receiver.path, () => {}), interval);
    watchdog.start();
    vi.advanceTimersByTime(10);
    expect(receiver.tags().length).toBeLessThanOrEqual(11);
  });
});
