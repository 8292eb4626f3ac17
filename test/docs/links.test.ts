import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../support/packed.ts';
import { readPage, readPages } from '../support/page.ts';

const pages = readPages();

/** What is wrong with a link of `page`, or null. */
function faultOf(page: string, href: string): string | null {
  if (/^https?:/.test(href)) return null;
  const [path = '', anchor] = href.split('#');
  const target = path === '' ? page : normalize(join(dirname(page), path));
  if (!existsSync(join(root, target))) return `${href}: there is no ${target}`;
  if (anchor === undefined) return null;
  return readPage(target).anchors.has(anchor) ? null : `${href}: ${target} has no such heading`;
}

test.each(pages)('every link of $name leads somewhere', ({ name, links }) => {
  expect(links.map((href) => faultOf(name, href)).filter((fault) => fault !== null)).toEqual([]);
});
