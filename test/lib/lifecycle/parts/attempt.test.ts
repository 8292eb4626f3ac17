import { expect, it } from 'vitest';
import { Attempt } from '../../../../lib/lifecycle/parts/attempt.ts';

it('is called off by this process, or by its caller', () => {
  const reason = new Error('shutting down');
  const called = new Attempt();
  called.callOff(reason);
  expect(called.signal.reason).toBe(reason);
  const outer = new AbortController();
  const [own, callers] = [new Attempt(outer.signal), new Attempt(outer.signal)];
  own.callOff(reason);
  expect([own.signal.aborted, callers.signal.aborted, outer.signal.aborted]).toEqual([true, false, false]);
  outer.abort();
  expect([own.signal.reason, callers.signal.aborted]).toEqual([reason, true]);
});

it('can be waited for, by any number', async () => {
  const attempt = new Attempt();
  const waiting = Promise.all([attempt.ended, attempt.ended]);
  attempt.end();
  attempt.end();
  await waiting;
});
