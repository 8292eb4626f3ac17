import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { abortReason, Deadline, untilAborted } from '../../../lib/channel/deadline.ts';
import { HandoffError } from '../../../lib/fd/handoff-error.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('Deadline', () => {
  it('aborts with a typed error when the time is over, and not before', () => {
    using deadline = Deadline.after(100, 'The tea was not ready');
    vi.advanceTimersByTime(99);
    expect(deadline.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(deadline.signal.reason).toMatchObject({
      code: 'ERR_HANDOFF_TIMEOUT',
      message: 'The tea was not ready within 100 ms.',
    });
  });

  it('leaves no timer when it is disposed', () => {
    const deadline = Deadline.after(100, 'It was not there');
    deadline[Symbol.dispose]();
    expect(vi.getTimerCount()).toBe(0);
    expect(deadline.signal.aborted).toBe(false);
  });

  it('follows the outer signal, whose reason is kept', () => {
    const outer = new AbortController();
    using deadline = Deadline.after(100, 'It was not there', outer.signal);
    outer.abort('changed my mind');
    expect(deadline.signal.reason).toMatchObject({ code: 'ERR_HANDOFF_ABORTED', cause: 'changed my mind' });
  });

  it('is over at once where the outer signal is', () => {
    const reason = new HandoffError('ERR_HANDOFF_BUSY', 'busy');
    using deadline = Deadline.after(100, 'It was not there', AbortSignal.abort(reason));
    expect(deadline.signal.reason).toBe(reason);
  });

  it('listens to the outer signal no longer than it lives', () => {
    const outer = new AbortController();
    const deadline = Deadline.after(100, 'It was not there', outer.signal);
    deadline[Symbol.dispose]();
    outer.abort();
    expect(deadline.signal.aborted).toBe(false);
  });

  it('waits for the outer signal alone when it has no end', () => {
    using deadline = Deadline.after(Number.POSITIVE_INFINITY, 'It was not there');
    expect(vi.getTimerCount()).toBe(0);
    expect(deadline.signal.aborted).toBe(false);
  });

  it('does not fire at once for more than setTimeout() can take', () => {
    using deadline = Deadline.after(2 ** 31 + 1000, 'It was not there');
    vi.advanceTimersByTime(2 ** 31 - 2);
    expect(deadline.signal.aborted).toBe(false);
  });
});

describe('abortReason', () => {
  it('keeps our own errors and wraps all others', () => {
    const ours = new HandoffError('ERR_HANDOFF_BUSY', 'busy');
    expect(abortReason(AbortSignal.abort(ours))).toBe(ours);
    const theirs = new Error('theirs');
    expect(abortReason(AbortSignal.abort(theirs))).toMatchObject({ code: 'ERR_HANDOFF_ABORTED', cause: theirs });
  });
});

describe('untilAborted', () => {
  it('settles as the promise does', async () => {
    const { signal } = new AbortController();
    await expect(untilAborted(Promise.resolve(7), signal)).resolves.toBe(7);
    await expect(untilAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
  });

  it('rejects when the signal aborts, and when it had', async () => {
    const controller = new AbortController();
    const waiting = untilAborted(new Promise(() => {}), controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
    await expect(untilAborted(Promise.resolve(), controller.signal)).rejects.toMatchObject({
      code: 'ERR_HANDOFF_ABORTED',
    });
  });

  it('leaves no unhandled rejection when both fail', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      vi.useRealTimers();
      const aborted = untilAborted(Promise.reject(new Error('later')), AbortSignal.abort());
      await expect(aborted).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', note);
    }
  });
});
