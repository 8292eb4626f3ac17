import { expect, test } from 'vitest';
import { median, ratio, spreadOf } from '../../../bench/comparison/statistics.ts';

test('the median is the middle one, or between the two in the middle', () => {
  expect(median([3])).toBe(3);
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(() => median([])).toThrow(RangeError);
});

test('a spread keeps the samples in the order of the rounds', () => {
  expect(spreadOf([5, 1, 3])).toEqual({ median: 3, low: 1, high: 5, samples: [5, 1, 3] });
});

test('a ratio compares what was measured in the same round', () => {
  // The machine was ten times as slow in the second round, for both.
  expect(ratio(spreadOf([100, 10, 100]), spreadOf([50, 5, 50]))).toBe(2);
  expect(ratio(spreadOf([1]), spreadOf([0]))).toBeNaN();
});
