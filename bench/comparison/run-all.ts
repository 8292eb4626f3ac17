import type { Benchmark } from './benchmark.ts';
import { type BenchmarkResults, type Results, thisMachine } from './results.ts';
import { type RoundsOptions, runBenchmark } from './rounds.ts';

/** Runs one benchmark after the other. */
export async function runAll(benchmarks: readonly Benchmark[], options: RoundsOptions): Promise<Results> {
  const results: Record<string, BenchmarkResults> = {};
  for (const benchmark of benchmarks) results[benchmark.name] = await runBenchmark(benchmark, options);
  return { machine: thisMachine(), rounds: options.rounds, quick: options.quick, benchmarks: results };
}
