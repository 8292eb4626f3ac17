/** Measures every contender of a benchmark in rounds, one after the other in each: whatever the machine does hits all. */
import type { Benchmark, BenchmarkOptions, Case, Measurement } from './benchmark.ts';
import { type BenchmarkResults, loadNow, type Result } from './results.ts';
import { spreadOf } from './statistics.ts';

export interface RoundsOptions extends BenchmarkOptions {
  readonly rounds: number;
  /** Told what is measured next. */
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
}

export async function runBenchmark(benchmark: Benchmark, options: RoundsOptions): Promise<BenchmarkResults> {
  const { rounds, onProgress, signal } = options;
  const before = loadNow();
  const preparation = await benchmark.prepare(options);
  const samples = new Map<Case, Measurement[]>(preparation.cases.map((each) => [each, []]));
  try {
    for (let round = 0; round < rounds; round++) {
      // Every other round backwards, so that nobody always has the same neighbour before it.
      const order = round % 2 === 0 ? preparation.cases : [...preparation.cases].reverse();
      for (const each of order) {
        signal.throwIfAborted();
        onProgress(`${benchmark.name}: round ${round + 1} of ${rounds}: ${nameOf(each)}`);
        samples.get(each)?.push(await each.measure());
      }
    }
  } finally {
    await preparation.close();
  }
  const results = preparation.cases.map((each): Result => {
    const measured = samples.get(each) ?? [];
    const metrics = Object.fromEntries(
      benchmark.metrics.flatMap(({ name }) => {
        const values = measured.flatMap((measurement) => measurement[name] ?? []);
        return values.length === 0 ? [] : [[name, spreadOf(values)]];
      }),
    );
    return { contender: each.contender, size: each.size, metrics };
  });
  const { title, sizeTitle, metrics } = benchmark;
  return {
    title,
    ...(sizeTitle === undefined ? {} : { sizeTitle }),
    metrics,
    results,
    absent: preparation.absent,
    load: [before, loadNow()],
  };
}

function nameOf({ contender, size }: Case): string {
  return size === null ? contender : `${contender}, ${size}`;
}
