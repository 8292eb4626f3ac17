import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { NotifySocket } from '../../../lib/systemd/notify.ts';
import { TimeoutExtension } from '../../../lib/systemd/timeout-extension.ts';
import { NotifyReceiver } from '../../support/notify-receiver.ts';

let receiver: NotifyReceiver;
let extension: TimeoutExtension;

beforeEach(() => {
  receiver = new NotifyReceiver();
  vi.useFakeTimers();
  extension = new TimeoutExtension(new NotifySocket(receiver.path, () => {}));
});

afterEach(() => {
  extension[Symbol.dispose]();
  vi.useRealTimers();
  receiver[Symbol.dispose]();
});

it('asks for three times as long as it waits before it asks again', () => {
  extension.start();
  vi.advanceTimersByTime(4_999);
  expect(receiver.tags()).toEqual([]);
  vi.advanceTimersByTime(10_001);
  expect(receiver.tags()).toEqual(Array(3).fill({ EXTEND_TIMEOUT_USEC: '15000000' }));
  extension.stop();
  vi.advanceTimersByTime(60_000);
  expect(receiver.tags()).toEqual([]);
});

it('asks no longer than it was told to: then the unit has its own way', () => {
  extension.start(12_000);
  vi.advanceTimersByTime(600_000);
  expect(receiver.tags()).toHaveLength(2);
});
