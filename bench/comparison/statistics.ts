/** What several measurements of one thing come to. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly samples: readonly number[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)];
  const lower = sorted[Math.ceil(middle) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError('the median of nothing');
  return (lower + upper) / 2;
}

export function spreadOf(samples: readonly number[]): Spread {
  return { median: median(samples), low: Math.min(...samples), high: Math.max(...samples), samples };
}

/**
 * One contender's figure in units of another's, round by round: both were measured moments apart, so that what the machine
 * was doing besides falls out. The median of these ratios is steadier than the ratio of two medians.
 */
export function ratio(one: Spread, other: Spread): number {
  const pairs = one.samples.flatMap((sample, round) => {
    const against = other.samples[round];
    return against === undefined || against === 0 ? [] : [sample / against];
  });
  return pairs.length === 0 ? Number.NaN : median(pairs);
}
