/** `npm run bench`: measures the project beside its peers, and writes what comes of it. `--help` says how. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { benchmarks } from './all-benchmarks.ts';
import { readCommandLine, UsageError } from './comparison/command-line.ts';
import { type Results, readResults, writeResults } from './comparison/results.ts';
import { runAll } from './comparison/run-all.ts';
import { plainTables } from './comparison/tables.ts';

const USAGE = `usage: npm run bench -- [options] [benchmark …]

benchmarks: ${benchmarks.map(({ name }) => name).join(', ')} (default: all)

  --rounds N       how often each contender is measured (5)
  --quick          one round, shorter and smaller: to see that everything works, not to compare
  --results FILE   where the results go (bench/results/results.json); those of other benchmarks in it are kept
  --no-report      leave the picture and the tables as they are

Everybody is measured in turn in each round, on this machine, in this run. Who is missing on this machine is left out, and
the results say so.`;

const defaultResults = fileURLToPath(new URL('results/results.json', import.meta.url));

async function main(): Promise<void> {
  const { help, chosen, rounds, quick, results: path } = readCommandLine(process.argv.slice(2), benchmarks);
  if (help) {
    console.log(USAGE);
    return;
  }
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());
  const onProgress = (line: string) => console.error(line);
  const measured = await runAll(chosen, { rounds, quick, onProgress, signal: interruption.signal });
  const file = path ?? (quick ? undefined : defaultResults);
  const all: Results =
    file !== undefined && existsSync(file)
      ? { ...measured, benchmarks: { ...readResults(file).benchmarks, ...measured.benchmarks } }
      : measured;
  console.log(plainTables(measured));
  if (file !== undefined) writeResults(file, all);
}

try {
  await main();
} catch (error) {
  if ((error as Error).name === 'AbortError') process.exit(130);
  if (!(error instanceof UsageError || error instanceof TypeError)) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
