import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
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
