import type { Work } from '../../servers/index.ts';
import type { DrainWork } from '../../transaction/drains/draining-generation.ts';

/** How many answers are named: enough to see what it is that takes so long. */
const namedAnswers = 10;

/** How much of a path is told, in characters. */
const longestPath = 200;

/**
 * What all the connections of a process come to, for people and programs.
 *
 * @param connections how many are open: on one of HTTP/2 there are several answers
 */
export function drainWork(works: readonly Work[], connections: number): DrainWork {
  const kinds: Record<string, number> = {};
  for (const { kind } of works) kinds[kind] = (kinds[kind] ?? 0) + 1;
  const now = performance.now();
  const answers = works
    .flatMap(({ path, since }) => (path === undefined ? [] : [{ path, age: Math.round(now - (since ?? now)) }]))
    .sort((one, other) => other.age - one.age)
    .slice(0, namedAnswers)
    .map(({ path, age }) => ({ path: path.slice(0, longestPath), age }));
  return { connections, kinds, answers };
}
