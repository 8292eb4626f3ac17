import { expect, test } from 'vitest';
import { spreadOf } from '../../../bench/comparison/statistics.ts';
import { figure, markdownTable, rowsOf, spreadText } from '../../../bench/comparison/tables.ts';

test.each([
  [0, '0'],
  [0.123, '0.12'],
  [12.34, '12.3'],
  [123.4, '123'],
  [893_204, '893,204'],
])('%d as %s', (value, text) => {
  expect(figure(value)).toBe(text);
});

test('the spread is left out where there is none', () => {
  expect(spreadText(spreadOf([2, 2, 2]))).toBe('2.00');
  expect(spreadText(spreadOf([1, 2, 4]))).toBe('2.00 (1.00–4.00)');
});

test('a row for each contender at each size; a dash where nothing was measured', () => {
  const { head, rows } = rowsOf({
    title: 'Counting',
    sizeTitle: 'items',
    metrics: [
      { name: 'speed', title: 'speed', unit: '/s' },
      { name: 'lost', title: 'lost', unit: '' },
    ],
    results: [{ contender: 'one', size: 1000, metrics: { speed: spreadOf([5]) } }],
    absent: [],
    load: [0, 0],
  });
  expect(head).toEqual(['', 'items', 'speed, /s', 'lost']);
  expect(rows).toEqual([['one', '1,000', '5.00', '–']]);
  expect(markdownTable(head, rows)).toBe(
    '|  | items | speed, /s | lost |\n| --- | ---: | ---: | ---: |\n| one | 1,000 | 5.00 | – |',
  );
});
