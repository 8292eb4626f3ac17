import { setTimeout as delay } from 'node:timers/promises';
import { defaultRepeatWithin } from '../../lib/signals/given-orders.ts';
import type { Program } from './program.ts';

/**
 * Tells a program the same once more, when it cannot be the first order again: `sooner` is that it has heard that. A time by
 * nature: how long ago it was is all that there is between the two.
 */
export async function insist(program: Program, signal: NodeJS.Signals, sooner: Promise<unknown>): Promise<void> {
  await sooner;
  await delay(defaultRepeatWithin);
  program.signal(signal);
}
