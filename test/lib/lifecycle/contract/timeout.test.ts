import { expect, it } from 'vitest';
import { readTimeout } from '../../../../lib/lifecycle/contract/timeout.ts';

it.each([0, 1.5, 2 ** 31 - 1])('%d milliseconds can be waited for', (value) => {
  expect(readTimeout('drainTimeout', value)).toBe(value);
});

it.each([
  ['5', 'ERR_INVALID_ARG_TYPE'],
  [-1, 'ERR_OUT_OF_RANGE'],
  [Number.NaN, 'ERR_OUT_OF_RANGE'],
  [Number.POSITIVE_INFINITY, 'ERR_OUT_OF_RANGE'],
  // One more than setTimeout() takes: it would fire at once.
  [2 ** 31, 'ERR_OUT_OF_RANGE'],
])('%j cannot, and the error names the option', (value, code) => {
  expect(() => readTimeout('drainTimeout', value as never)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining('"drainTimeout"') }),
  );
});
