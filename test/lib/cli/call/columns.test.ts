import { expect, it } from 'vitest';
import { alignColumns } from '../../../../lib/cli/call/columns.ts';

it('puts each text at its side of the column, and nothing after the last', () => {
  const rows = [
    ['name', 'pid', 'phase'],
    ['a longer name', '7', 'serving'],
    ['b', '4711', ''],
  ];
  expect(alignColumns(rows, ['left', 'right', 'left'])).toEqual([
    'name            pid  phase',
    'a longer name     7  serving',
    'b              4711',
  ]);
});

it('counts no colours', () => {
  expect(
    alignColumns(
      [
        ['\u001b[31mred\u001b[39m', 'x'],
        ['longer', 'y'],
      ],
      ['left', 'left'],
    ),
  ).toEqual(['\u001b[31mred\u001b[39m     x', 'longer  y']);
});

it('fills up a row that is shorter than the others', () => {
  expect(alignColumns([['a', 'b'], ['longer']], ['left', 'right'])).toEqual(['a       b', 'longer']);
});
