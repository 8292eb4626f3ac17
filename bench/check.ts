/**
 * `npm run bench:check`: runs the benchmarks, or reads what one run has written, and compares it with the goals. Exit code 1
 * if one falls short.
 */
import { styleText } from 'node:util';
import { benchmarks } from './all-benchmarks.ts';
import { readCommandLine, UsageError } from './comparison/command-line.ts';
import { type Judgement, judgeAll } from './comparison/goals.ts';
import { type Results, readResults } from './comparison/results.ts';
import { runAll } from './comparison/run-all.ts';
import { figure } from './comparison/tables.ts';

const USAGE = `usage: npm run bench:check -- [options] [benchmark …]

benchmarks: ${benchmarks.map(({ name }) => name).join(', ')} (default: all)

  --rounds N       how often each contender is measured (5)
  --no-fetch       leave out the peers from npm that were not fetched before
  --results FILE   judge what npm run bench has written there, instead of measuring

Ratios within one run are compared, and absolute figures only where the goal is one: they want a machine that does nothing
else.`;

function line({ goal, met, figure: value, bound }: Judgement): string {
  const wanted = 'least' in bound ? `at least ${bound.least}` : `at most ${bound.most}`;
  if (met === null || value === null) return `${styleText('gray', '–      ')} ${goal}: not measured (${wanted})`;
  const verdict = met ? styleText('green', 'met    ') : styleText('red', 'NOT MET');
  return `${verdict} ${goal}: ${figure(value)} (${wanted})`;
}

async function main(): Promise<number> {
  const { help, chosen, rounds, fetch, results: path } = readCommandLine(process.argv.slice(2), benchmarks);
  if (help) {
    console.log(USAGE);
    return 0;
  }
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());
  const onProgress = (text: string) => console.error(text);
  const results: Results =
    path === undefined
      ? await runAll(chosen, { rounds, quick: false, fetch, onProgress, signal: interruption.signal })
      : readResults(path);
  const judgements = judgeAll(results);
  for (const judgement of judgements) console.log(line(judgement));
  const missed = judgements.filter(({ met }) => met === false).length;
  console.log(`${judgements.filter(({ met }) => met === true).length} goals met, ${missed} not met`);
  return missed > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if ((error as Error).name === 'AbortError') process.exit(130);
  if (!(error instanceof UsageError || error instanceof TypeError)) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
