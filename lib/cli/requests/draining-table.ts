import { isObject } from '../../app/command-parts.ts';
import type { Json, JsonObject } from '../../channel/frame.ts';
import type { Paint } from '../call/colours.ts';
import { alignColumns, type Side } from '../call/columns.ts';
import { duration, objects, text } from './status-table.ts';

const columns: readonly (readonly [title: string, side: Side])[] = [
  ['draining generation', 'right'],
  ['pid', 'right'],
  ['for', 'right'],
  ['at most', 'right'],
  ['connections', 'right'],
  ['waits for', 'left'],
];

/** How many answers are named in a line. */
const namedAnswers = 3;

const none = '-';

/** The generations that still drain, one a line; empty where there is none, or a program knows nothing of them. */
export function drainingTable({ draining }: JsonObject, paint: Paint): string {
  const generations = objects(draining);
  if (generations.length === 0) return '';
  const rows = generations.map(({ generation, pid, since, until, waitsFor }) => [
    text(generation),
    text(pid),
    past(since),
    ahead(until),
    isObject(waitsFor ?? null) ? text((waitsFor as JsonObject).connections) : none,
    waiting(waitsFor, paint),
  ]);
  const titles = columns.map(([title]) => paint('dim', title));
  const sides = columns.map(([, side]) => side);
  return alignColumns([titles, ...rows], sides).join('\n');
}

function waiting(value: Json | undefined, paint: Paint): string {
  if (value === 'silent') return paint('red', 'does not answer: it is stopped, or hangs');
  if (value === 'unasked') return 'an earlier version, which does not tell';
  if (!isObject(value ?? null)) return none;
  const { kinds, answers } = value as JsonObject;
  const counts = isObject(kinds ?? null)
    ? Object.entries(kinds as JsonObject).map(([kind, count]) => `${text(count)} ${text(kind)}`)
    : [];
  const named = objects(answers)
    .slice(0, namedAnswers)
    .map(({ path, age }) => `${text(path)}${typeof age === 'number' ? ` for ${duration(age)}` : ''}`);
  const all = [...counts, ...named];
  return all.length === 0 ? none : all.join(', ');
}

function past(value: Json | undefined): string {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? none : duration(Math.max(0, Date.now() - at));
}

function ahead(value: Json | undefined): string {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? none : duration(Math.max(0, at - Date.now()));
}
