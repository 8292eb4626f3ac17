import { expect, it } from 'vitest';
import { DrainingSignal } from '../../../../lib/lifecycle/parts/draining-signal.ts';

it('is one signal until something is accepted again, and says what the process does', () => {
  const draining = new DrainingSignal();
  const first = draining.current;
  draining.renew();
  expect(draining.current).toBe(first);
  draining.abort('paused');
  expect(first.reason).toMatchObject({ code: 'ERR_HANDOFF_ABORTED', message: 'This process is paused.' });
  draining.renew();
  expect([first.aborted, draining.current.aborted]).toEqual([true, false]);
});

it('the first reason is the one that counts', () => {
  const draining = new DrainingSignal();
  draining.abort('paused');
  draining.abort('draining');
  expect(draining.current.reason).toMatchObject({ message: 'This process is paused.' });
});
