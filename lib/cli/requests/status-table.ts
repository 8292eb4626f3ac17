import { stripVTControlCharacters } from 'node:util';
import { isObject } from '../../app/command-parts.ts';
import type { Json, JsonObject } from '../../channel/frame.ts';
import type { Paint } from '../call/colours.ts';
import { alignColumns, type Side } from '../call/columns.ts';

/** Numbers at the right, so that they can be compared digit by digit. */
const columns: readonly (readonly [title: string, side: Side])[] = [
  ['name', 'left'],
  ['address', 'left'],
  ['generation', 'right'],
  ['pid', 'right'],
  ['uptime', 'right'],
  ['connections', 'right'],
  ['phase', 'left'],
];

/** What stands where there is nothing to be said. */
const none = '-';

/**
 * The status of a process as a table, a listener or datagram socket a line. What another program has answered may lack
 * fields, or have others in their place.
 */
export function statusTable(status: JsonObject, paint: Paint): string {
  const common = {
    generation: text(status.generation),
    pid: text(status.pid),
    uptime: typeof status.uptime === 'number' ? duration(status.uptime) : none,
    phase: phase(status.phase, paint),
  };
  const sockets = [
    ...objects(status.listeners).map((listener) => socket(listener, '')),
    ...objects(status.datagramSockets).map((datagram) => socket(datagram, 'datagrams ')),
  ];
  // A process that has none, or none yet, is still one to be told of.
  if (sockets.length === 0) sockets.push({ name: none, address: none, connections: none });
  const rows = sockets.map(({ name, address, connections }) => [
    name,
    address,
    common.generation,
    common.pid,
    common.uptime,
    connections,
    common.phase,
  ]);
  const titles = columns.map(([title]) => paint('dim', title));
  const sides = columns.map(([, side]) => side);
  return alignColumns([titles, ...rows], sides).join('\n');
}

function socket(entry: JsonObject, kind: string): { name: string; address: string; connections: string } {
  const { name, accepting, connections } = entry;
  // A listener that workers accept on has its connections there.
  const counts = typeof connections === 'number' && (accepting === true || connections > 0);
  return { name: text(name), address: `${kind}${address(entry)}`, connections: counts ? String(connections) : none };
}

function address({ address, port, path }: JsonObject): string {
  if (typeof path === 'string') return text(path);
  if (typeof address !== 'string') return none;
  return text(`${address.includes(':') ? `[${address}]` : address}:${port ?? '?'}`);
}

function phase(value: Json | undefined, paint: Paint): string {
  const word = text(value);
  return paint(word === 'serving' ? 'green' : 'yellow', word);
}

/** Milliseconds in the two largest units that there are. */
export function duration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first === -1) return '0s';
  return parts
    .slice(first, first + 2)
    .map(([amount, unit]) => `${amount}${unit}`)
    .join(' ');
}

/** A value on one line of a terminal, whoever it came from: with what a terminal would obey taken out. */
export function text(value: Json | undefined): string {
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string' || value === '') return none;
  return stripVTControlCharacters(value).replace(/\p{Cc}/gu, '?');
}

export function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
