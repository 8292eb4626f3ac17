import { putCodeInStack } from './coded-stack.ts';

/** How many letters may differ for a name to be what was meant: a slip or two, not another word. */
const slips = 2;

/**
 * Throws for an option that a call does not have. One that is ignored is a wish that silently does not come true, and
 * `reuseport` or `drainTimeOut` looks right to whoever wrote it. One that is undefined was not given.
 *
 * @param call how it is called, for the message: `listen()`
 * @param known the call's options, all of them: give a `Record<keyof Options, true>`, and the compiler keeps it complete
 * @param others what the same is called elsewhere, or what is to be done in place of what there is not: whoever writes
 *   `hostname` has not made a slip of the pen. An option's name, or a sentence.
 * @throws {TypeError} ERR_INVALID_ARG_VALUE, naming the option and the nearest that there is.
 */
export function checkOptionNames(
  call: string,
  options: object,
  known: Readonly<Record<string, true>>,
  others: Readonly<Record<string, string>> = {},
): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || Object.hasOwn(known, name)) continue;
    const other = Object.hasOwn(others, name) ? others[name] : undefined;
    const meant =
      other === undefined || Object.hasOwn(known, other) ? (other ?? nearestTo(name, Object.keys(known))) : null;
    const list = other ?? `It takes ${Object.keys(known).sort().join(', ')}.`;
    const advice = meant === null ? list : `Did you mean ${JSON.stringify(meant)}?`;
    const error = new TypeError(`${call} has no option ${JSON.stringify(name)}. ${advice}`);
    putCodeInStack(error, 'ERR_INVALID_ARG_VALUE', checkOptionNames);
    throw Object.assign(error, { code: 'ERR_INVALID_ARG_VALUE' });
  }
}

function nearestTo(name: string, candidates: readonly string[]): string | null {
  const distances = candidates.map((candidate) => ({
    candidate,
    distance: differences(name.toLowerCase(), candidate.toLowerCase()),
  }));
  distances.sort((one, other) => one.distance - other.distance);
  const [best] = distances;
  // Of a short name two letters are most of it.
  return best !== undefined && best.distance <= Math.min(slips, name.length / 3) ? best.candidate : null;
}

/** How many letters have to be put in, taken out or changed to make `other` of `one` (Levenshtein). */
function differences(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [taken, letter] of [...one].entries()) {
    const next = [taken + 1];
    for (const [index, wanted] of [...other].entries()) {
      const change = (row[index] as number) + (letter === wanted ? 0 : 1);
      next.push(Math.min(change, (row[index + 1] as number) + 1, (next[index] as number) + 1));
    }
    row = next;
  }
  return row.at(-1) as number;
}
