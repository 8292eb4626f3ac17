import { InvalidArgumentError } from 'commander';
import { expect, it } from 'vitest';
import { parseDuration, parseWait } from '../../../../lib/cli/call/duration.ts';

it.each([
  ['30', 30_000],
  ['30s', 30_000],
  ['1.5s', 1_500],
  ['500ms', 500],
  ['2m', 120_000],
  ['1h', 3_600_000],
])('%s', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

it.each(['', 's', '-1', '1d', '1 s', 'soon'])('"%s" is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow(InvalidArgumentError);
});

it('is no longer than a timer can be', () => {
  expect(() => parseDuration('600h')).toThrow('24 days');
});

it('is more than nothing where something is waited for', () => {
  expect(parseWait('1ms')).toBe(1);
  expect(() => parseWait('0')).toThrow('more than 0');
});
