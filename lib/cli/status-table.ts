import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import { isObject, type Json, type JsonObject } from '../channel/frame.ts';
import type { Paint } from './colours.ts';

const titles = ['name', 'address', 'generation', 'pid', 'uptime', 'connections', 'phase'];

/** Right-aligned: what is compared digit by digit. */
const numbers = new Set(['generation', 'pid', 'uptime', 'connections']);

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
  return plainTable(
    titles.map((title) => paint('dim', title)),
    rows,
  );
}

/** Columns two spaces apart. Plain text: cli-table3 adds colours by itself otherwise. */
function plainTable(head: string[], rows: string[][]): string {
  const around = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
  };
  const below = { right: '', 'right-mid': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' };
  const table = new Table({
    head,
    chars: { ...around, ...below, middle: '  ' },
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
    colAligns: titles.map((title) => (numbers.has(title) ? 'right' : 'left')),
  });
  table.push(...rows);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
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
function text(value: Json | undefined): string {
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string' || value === '') return none;
  return stripVTControlCharacters(value).replace(/\p{Cc}/gu, '?');
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
