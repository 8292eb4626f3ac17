import { expect, it } from 'vitest';
import { parseSeconds } from '../../../lib/cli/control-argument.ts';

it.each([
  ['1', 1],
  ['0.25', 0.25],
  [' 5 ', 5],
])('%j is %d seconds', (text, seconds) => {
  expect(parseSeconds(text)).toBe(seconds);
});

it.each(['', ' ', '0', '-1', 'soon', '1s', '1e9', 'Infinity', 'NaN'])('%j is none', (text) => {
  expect(() => parseSeconds(text)).toThrow('Give seconds');
});
