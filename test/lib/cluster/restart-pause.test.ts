import { expect, it } from 'vitest';
import { RestartPause } from '../../../lib/cluster/restart-pause.ts';

it('grows from a tenth of a second to half a minute, and stays there', () => {
  const pause = new RestartPause();
  const pauses = Array.from({ length: 11 }, () => pause.after(0));
  expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
});

it('is short again after a worker that has served for a minute, and after a reset', () => {
  const pause = new RestartPause();
  expect([pause.after(0), pause.after(59_999), pause.after(60_000), pause.after(0)]).toEqual([100, 200, 100, 200]);
  pause.reset();
  expect(pause.after(0)).toBe(100);
});
