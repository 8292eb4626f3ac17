import { Countdown } from '../../lib/servers/draining/countdown.ts';
import type { DrainLimits, DrainOrder } from '../../lib/servers/draining/drain.ts';
import { never } from './never.ts';

/** How long the parts of a drain, and all of it, may take. */
export interface DrainTimes extends DrainLimits {
  readonly total: number;
}

/** No limit: what ends such a drain is that nothing is open any more. */
export const unlimited: DrainTimes = {
  idle: Number.POSITIVE_INFINITY,
  halfSent: Number.POSITIVE_INFINITY,
  total: Number.POSITIVE_INFINITY,
};

/** A drain without a successor, within these limits; `force` is the hammer. */
export function drainOrder(times: Partial<DrainTimes> = {}, force = never, cancel = never): DrainOrder {
  const { total, ...limits } = { ...unlimited, ...times };
  const countdown = new Countdown(force.aborted ? 0 : total);
  // It is one for all tests, and what listens to it would pile up.
  if (force !== never) force.addEventListener('abort', () => countdown.shorten(0), { once: true });
  return { limits, countdown, reason: 'shutdown', cancel, mover: null, noMoreComing: Promise.resolve() };
}
