/** The results of a run, as JSON: what tables, pictures and the check are made from. */
import { readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, loadavg, release } from 'node:os';
import type { Absence, Metric } from './benchmark.ts';
import type { Spread } from './statistics.ts';

export interface Result {
  readonly contender: string;
  readonly size: number | null;
  readonly metrics: Readonly<Record<string, Spread>>;
}

export interface BenchmarkResults {
  readonly title: string;
  readonly sizeTitle?: string;
  readonly metrics: readonly Metric[];
  readonly results: readonly Result[];
  readonly absent: readonly Absence[];
  /** The machine's load average over a minute, before and after: what else it was doing. */
  readonly load: readonly [before: number, after: number];
}

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly system: string;
  readonly node: string;
}

export interface Results {
  readonly machine: Machine;
  readonly rounds: number;
  readonly quick: boolean;
  readonly benchmarks: Readonly<Record<string, BenchmarkResults>>;
}

export function thisMachine(): Machine {
  const processors = cpus();
  return {
    cores: processors.length,
    processor: processors[0]?.model.trim() ?? 'unknown',
    system: `${process.platform} ${release()} ${arch()}`,
    node: process.version,
  };
}

export function loadNow(): number {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100;
}

/** The figure of one contender at one size; undefined where it was not measured. */
export function find(
  results: Results,
  benchmark: string,
  contender: string,
  metric: string,
  size: number | null = null,
): Spread | undefined {
  const found = results.benchmarks[benchmark]?.results.find(
    (result) => result.contender === contender && result.size === size,
  );
  return found?.metrics[metric];
}

export function readResults(path: string): Results {
  return JSON.parse(readFileSync(path, 'utf8')) as Results;
}

/** Six figures of each number are more than any of them is worth. */
export function writeResults(path: string, results: Results): void {
  const rounded = (_key: string, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
  const text = JSON.stringify(results, rounded, 2);
  // Samples in one line: a file that is read by people, too.
  writeFileSync(
    path,
    `${text.replace(/\[\s+([-\d.e+,\s]+?)\s+\]/g, (_, list: string) => `[${list.replace(/\s+/g, ' ')}]`)}\n`,
  );
}
