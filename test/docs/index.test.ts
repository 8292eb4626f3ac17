import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../support/packed.ts';
import { readPage, readPages } from '../support/page.ts';

test('docs/README.md lists every page', () => {
  const { name, links } = readPage('docs/README.md');
  const listed = links.map((href) => normalize(join(dirname(name), href)));
  const pages = readPages().filter((page) => page.name.startsWith('docs/') && page.name !== name);
  expect(pages.map((page) => page.name).filter((page) => !listed.includes(page))).toEqual([]);
});

test('the files that docs/architecture.md names are there', () => {
  const { text } = readPage('docs/architecture.md');
  const named = [...text.matchAll(/`((?:lib|native|test|bench)\/[\w./-]*)`/g)].map(([, path]) => path as string);
  expect(named.length).toBeGreaterThan(40);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('docs/architecture.md says of every room of lib/ what the room itself says', () => {
  const { text } = readPage('docs/architecture.md');
  const told = new Map([...text.matchAll(/^\| `(lib\/[\w/-]*)` \| (.*) \|$/gm)].map(([, room, what]) => [room, what]));
  const folders = readdirSync(join(root, 'lib'), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  const rooms = ['lib', ...folders.map(({ parentPath, name }) => relative(root, join(parentPath, name)))].filter(
    (room) => readdirSync(join(root, room)).some((name) => name.endsWith('.ts')),
  );
  const said = new Map(
    rooms.map((room) => {
      const [, , sentence] = readFileSync(join(root, room, 'README.md'), 'utf8').split('\n');
      return [`${room}/`, sentence];
    }),
  );
  expect([...told].sort()).toEqual([...said].sort());
});
