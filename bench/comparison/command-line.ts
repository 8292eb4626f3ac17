/** The command lines of `npm run bench` and `npm run bench:check`. */
import { parseArgs } from 'node:util';
import type { Benchmark } from './benchmark.ts';

export class UsageError extends Error {}

export interface CommandLine {
  readonly help: boolean;
  readonly chosen: readonly Benchmark[];
  readonly rounds: number;
  readonly quick: boolean;
  readonly fetch: boolean;
  readonly results: string | undefined;
  readonly report: boolean;
  readonly reportOnly: boolean;
}

/** Medians need five; more make the spread better known. */
const defaultRounds = 5;

export function readCommandLine(commandArguments: string[], benchmarks: readonly Benchmark[]): CommandLine {
  const { values, positionals } = parseArgs({
    args: commandArguments,
    allowPositionals: true,
    allowNegative: true,
    options: {
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      fetch: { type: 'boolean', default: true },
      results: { type: 'string' },
      report: { type: 'boolean', default: true },
      'report-only': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const unknown = positionals.filter((name) => !benchmarks.some((benchmark) => benchmark.name === name));
  if (unknown.length > 0) throw new UsageError(`there is no benchmark "${unknown.join('", "')}"`);
  const rounds = Number(values.rounds ?? (values.quick ? 1 : defaultRounds));
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new UsageError('--rounds needs a whole number above 0');
  return {
    help: values.help,
    chosen: positionals.length === 0 ? benchmarks : benchmarks.filter(({ name }) => positionals.includes(name)),
    rounds,
    quick: values.quick,
    fetch: values.fetch,
    results: values.results,
    report: values.report,
    reportOnly: values['report-only'],
  };
}
