import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../support/packed.ts';

// The rooms of docs/architecture.md, the lowest first: each imports from itself and from those before it. '.' is lib/
// itself, which holds the exports and nothing else.
const rooms = [
  'fd',
  'channel',
  'transaction/drains',
  'transaction/path',
  'transaction',
  'transaction/visits',
  'servers/internals',
  'servers/tls',
  'servers/binding',
  'servers/moving',
  'servers/datagrams',
  'servers/draining',
  'servers/http',
  'servers/serving',
  'servers/estate',
  'servers',
  'process/output',
  'process/start',
  'signals',
  'process',
  'rehearsal',
  'reexec',
  'systemd',
  'haproxy',
  'programs',
  'meeting',
  'cluster',
  'lifecycle',
  'app',
  '.',
  'cli/call',
  'cli/requests',
  'cli/completion',
  'cli/dev',
  'cli/hosting',
  'cli',
];

// To be parted: what is one floor until then.
const unparted = ['lifecycle', 'app', '.'];

function heightOf(file: string): number {
  const room = dirname(file);
  return rooms.indexOf(unparted.includes(room) ? '.' : room);
}

const files = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
);

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, 'lib', file), 'utf8');
  return [...text.matchAll(/\bfrom '(\.[^']+)'|\bimport\('(\.[^']+)'\)/g)].map(([, from, dynamic]) =>
    normalize(join(dirname(file), (from ?? dynamic) as string)),
  );
}

test('every folder of lib/ is a room', () => {
  expect([...new Set(files.map((file) => dirname(file)))].sort()).toEqual([...rooms].sort());
});

test('lib/ itself holds the exports and nothing else', () => {
  expect(files.filter((file) => dirname(file) === '.')).toEqual(['index.ts']);
});

test('a room imports from itself and from those below it', () => {
  const upwards = files.flatMap((file) =>
    importsOf(file)
      .filter((imported) => heightOf(imported) > heightOf(file))
      .map((imported) => `${file} imports ${imported}`),
  );
  expect(upwards).toEqual([]);
});

test('only servers/internals touches what belongs to Node', () => {
  const reaching = files.filter((file) =>
    /[.[]'?_[a-z]+/.test(readFileSync(join(root, 'lib', file), 'utf8').replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, '')),
  );
  expect([...new Set(reaching.map((file) => dirname(file)))]).toEqual([join('servers', 'internals')]);
});
