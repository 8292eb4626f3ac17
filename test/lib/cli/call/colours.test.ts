import { expect, it } from 'vitest';
import { hasColours, type Output, paintFor } from '../../../../lib/cli/call/colours.ts';

const terminal: Output = { isTTY: true, hasColors: () => true, write: () => true };
const dull: Output = { isTTY: true, hasColors: () => false, write: () => true };
const pipe: Output = { write: () => true };

it.each<[string, Output, NodeJS.ProcessEnv, boolean]>([
  ['a terminal', terminal, {}, true],
  ['a terminal without colours', dull, {}, false],
  ['a pipe', pipe, {}, false],
  ['a terminal with NO_COLOR', terminal, { NO_COLOR: '1' }, false],
  ['a terminal with an empty NO_COLOR', terminal, { NO_COLOR: '' }, true],
  ['a pipe with FORCE_COLOR', pipe, { FORCE_COLOR: '1' }, true],
  ['a pipe with an empty FORCE_COLOR', pipe, { FORCE_COLOR: '' }, false],
  ['a terminal with FORCE_COLOR=0', terminal, { FORCE_COLOR: '0' }, false],
  ['a pipe with both', pipe, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
])('%s', (_what, output, environment, expected) => {
  expect(hasColours(output, environment)).toBe(expected);
  const painted = paintFor(output, environment)('red', 'text');
  expect(painted).toBe(expected ? '\u001b[31mtext\u001b[39m' : 'text');
});

it('colours nothing where there is nothing', () => {
  expect(paintFor(terminal, {})('red', '')).toBe('');
});
