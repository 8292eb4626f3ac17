import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { toldRows } from '../../support/parent.ts';

test('every parent of the table has a file of tests here, and every such file is in the table', () => {
  const told = [...toldRows().keys()].map((row) => (row.split(/[ :]/)[0] as string).toLowerCase());
  const files = readdirSync(fileURLToPath(new URL('.', import.meta.url))).map((name) => name.replace('.test.ts', ''));
  expect([...new Set(told)].sort()).toEqual(files.filter((name) => name !== 'table').sort());
});

test('every row is one that a test looks up', () => {
  const folder = new URL('.', import.meta.url);
  const sources = readdirSync(fileURLToPath(folder)).map((name) => readFileSync(new URL(name, folder), 'utf8'));
  const orders = [...toldRows().keys()].map((row) => row.slice(row.indexOf(': ') + 2));
  expect(orders.filter((order) => !sources.some((text) => text.includes(`'${order}'`)))).toEqual([]);
});
