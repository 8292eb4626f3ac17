import { describe, expect, it } from 'vitest';
import { Pace } from '../../../../lib/servers/moving/pace.ts';

/** The sizes of the batches, of which the successor takes each after so many milliseconds. */
function sizes(...answers: number[]): number[] {
  const pace = new Pace();
  return answers.map((milliseconds) => {
    const size = pace.batchSize;
    pace.answered(milliseconds);
    return size;
  });
}

describe('the pace at which connections leave', () => {
  it('is slow at first, and doubled up to what a batch holds while the successor answers promptly', () => {
    expect(sizes(0, 1, 1.9, 0, 0, 0, 0)).toEqual([4, 8, 16, 32, 64, 64, 64]);
  });

  it('stays where the successor is not prompt, for four batches', () => {
    expect(sizes(0, 2, 10, 100, 1000, 5, 0, 0)).toEqual([4, 8, 8, 8, 8, 16, 16, 32]);
  });

  it('has no batch but the largest after sixteen, however late the successor is', () => {
    expect(sizes(...Array(20).fill(20)).slice(15)).toEqual([32, 64, 64, 64, 64]);
  });
});
