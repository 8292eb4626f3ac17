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
  'lifecycle/decision',
  'lifecycle/contract',
  'lifecycle/parts',
  'lifecycle/activities',
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

const heightOf = (file: string) => rooms.indexOf(dirname(file));

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

test('no file imports itself by way of others, types included', () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const follow = (file: string, way: readonly string[]) => {
    const start = way.indexOf(file);
    if (start !== -1) circles.push([...way.slice(start), file].join(' > '));
    if (start !== -1 || done.has(file)) return;
    for (const imported of importsOf(file)) follow(imported, [...way, file]);
    done.add(file);
  };
  for (const file of files) follow(file, []);
  expect(circles).toEqual([]);
});

test('only servers/internals touches what belongs to Node', () => {
  const reaching = files.filter((file) =>
    /[.[]'?_[a-z]+/.test(readFileSync(join(root, 'lib', file), 'utf8').replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, '')),
  );
  expect([...new Set(reaching.map((file) => dirname(file)))]).toEqual([join('servers', 'internals')]);
});
