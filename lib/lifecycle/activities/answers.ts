import type { DrainAnswers } from '../../transaction/drains/drain-answers.ts';
import type { DrainingGeneration, HasteOrder } from '../../transaction/drains/draining-generation.ts';
import { drainWork } from '../parts/drain-work.ts';
import type { Parts } from '../parts/parts.ts';

/** What this process answers to those after it. */
export function answersOf(parts: Parts): DrainAnswers {
  return {
    generations: async () => [...ownGeneration(parts), ...(await parts.generations.askInChain())],
    hasten: (order) => hasten(parts, order),
  };
}

/** What this process is to those after it: nothing, unless it drains. */
export function ownGeneration({ life, estate, clock, generation }: Parts): DrainingGeneration[] {
  const { is } = life.state;
  if (is !== 'draining' && is !== 'shutting-down') return [];
  const connections = estate.served.reduce((sum, served) => sum + served.connections.sockets.size, 0);
  const { since, until } = clock;
  return [{ pid: process.pid, generation, since, until, waitsFor: drainWork(estate.works, connections) }];
}

/** An order that came from a later generation: for this one, for those before it, or for all. */
function hasten({ generations, life }: Parts, order: HasteOrder): void {
  generations.hasten(order);
  if ((order.pid ?? process.pid) !== process.pid || life.state.is !== 'draining') return;
  life.report({ is: 'retire', terms: { timeout: order.timeout, idle: order.timeout } });
}
