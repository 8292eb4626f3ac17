import { expect, test } from 'vitest';
import { handoffErrorCodes } from '../../lib/fd/handoff-error.ts';
import { readPage } from '../support/page.ts';

// That each example ends with the error that it stands under is what blocks.test.ts shows.

test('docs/troubleshooting.md has every code and no other, with an example', () => {
  const page = readPage('docs/troubleshooting.md');
  const headings = [...page.text.matchAll(/^## (ERR_\w+)$/gm)].map(([, code]) => code);
  expect(headings.sort()).toEqual([...handoffErrorCodes].sort());
  const examples = page.blocks.map(({ key }) => key.replace(/^.*#/, '').toUpperCase());
  expect(examples.sort()).toEqual(headings);
});

test('the table in the README has every code', () => {
  const codes = new Set(readPage('README.md').text.match(/ERR_HANDOFF_\w+/g));
  expect([...handoffErrorCodes].filter((code) => !codes.has(code))).toEqual([]);
});
