import { describe, expect, it } from 'vitest';
import { Pace } from '../../../lib/servers/pace.ts';

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

  it('is halved when the successor is late, down to what it began with', () => {
    expect(sizes(0, 0, 0, 5, 10, 100, 1000, 5)).toEqual([4, 8, 16, 32, 16, 8, 4, 4]);
  });

  it('stays when the successor is neither prompt nor late', () => {
    expect(sizes(0, 0, 2, 3, 4)).toEqual([4, 8, 16, 16, 16]);
  });

  it('is raised again', () => {
    expect(sizes(0, 5, 0, 0, 0)).toEqual([4, 8, 4, 8, 16]);
  });
});
