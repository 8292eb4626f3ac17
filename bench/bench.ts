/** `npm run bench`: measures the project beside its peers, and writes what comes of it. `--help` says how. */
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { benchmarks } from './all-benchmarks.ts';
import { chart } from './comparison/chart.ts';
import { readCommandLine, UsageError } from './comparison/command-line.ts';
import { writeReport } from './comparison/report.ts';
import { type Results, readResults, writeResults } from './comparison/results.ts';
import { runAll } from './comparison/run-all.ts';
import { plainTables } from './comparison/tables.ts';

const USAGE = `usage: npm run bench -- [options] [benchmark …]

benchmarks: ${benchmarks.map(({ name }) => name).join(', ')} (default: all)

  --rounds N       how often each contender is measured (5)
  --quick          one round, shorter and smaller: to see that everything works, not to compare
  --no-fetch       leave out the peers from npm that were not fetched before
  --results FILE   where the results go (bench/results/results.json); those of other benchmarks in it are kept
  --no-report      leave the picture and the tables in the README and in docs/performance.md as they are
  --report-only    measure nothing, and draw them from the results

Everybody is measured in turn in each round, on this machine, in this run. Who is missing on this machine is left out, and
the results say so.`;

const place = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const defaultResults = place('results/results.json');
const picture = place('results/results.svg');
const pages = { readme: place('../README.md'), performance: place('../docs/performance.md') };

/** Draws and writes what people look at. Only what the project itself keeps is shown there. */
async function report(): Promise<void> {
  const results = readResults(defaultResults);
  writeFileSync(picture, await chart(results));
  writeReport(results, pages);
}

async function main(): Promise<void> {
  const commandLine = readCommandLine(process.argv.slice(2), benchmarks);
  const { help, chosen, rounds, quick, fetch, results: path, ...options } = commandLine;
  if (help) {
    console.log(USAGE);
    return;
  }
  if (options.reportOnly) return report();
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());
  const onProgress = (line: string) => console.error(line);
  const measured = await runAll(chosen, { rounds, quick, fetch, onProgress, signal: interruption.signal });
  console.log(plainTables(measured));
  // A quick run is no measurement, and is kept only where somebody asks for it.
  const file = path ?? (quick ? undefined : defaultResults);
  if (file === undefined) return;
  const kept = existsSync(file) ? readResults(file).benchmarks : {};
  const all: Results = { ...measured, benchmarks: { ...kept, ...measured.benchmarks } };
  writeResults(file, all);
  if (file === defaultResults && options.report) await report();
}

try {
  await main();
} catch (error) {
  if ((error as Error).name === 'AbortError') process.exit(130);
  if (!(error instanceof UsageError || error instanceof TypeError)) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
