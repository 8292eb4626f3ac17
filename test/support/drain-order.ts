import type { DrainLimits, DrainOrder } from '../../lib/servers/drain.ts';
import { never } from './never.ts';

/** No limit: what ends such a drain is that nothing is open any more. */
export const unlimited: DrainLimits = {
  idle: Number.POSITIVE_INFINITY,
  halfSent: Number.POSITIVE_INFINITY,
  total: Number.POSITIVE_INFINITY,
};

/** A drain without a successor, within these limits. */
export function drainOrder(limits: Partial<DrainLimits> = {}, force = never, cancel = never): DrainOrder {
  return { limits: { ...unlimited, ...limits }, force, cancel, mover: null, noMoreComing: Promise.resolve() };
}
