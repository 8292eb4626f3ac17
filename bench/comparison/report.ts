/** The pages that show the results: what stands between two markers is written from them, and never by hand. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { BenchmarkResults, Results } from './results.ts';
import { find } from './results.ts';
import { figure, markdownTable, rowsOf } from './tables.ts';

/** Puts `text` between the markers `<!-- name -->` and `<!-- /name -->` of `page`. */
export function fillIn(page: string, name: string, text: string): string {
  const begin = `<!-- ${name} -->`;
  const end = `<!-- /${name} -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the page has no markers ${begin} … ${end}`);
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`;
}

/** Where and under what the figures were taken. */
export function conditions({ machine, rounds, benchmarks }: Results): string {
  const loads = Object.values(benchmarks).flatMap(({ load }) => load);
  const { cores, processor, system, node } = machine;
  return (
    `${cores} cores (${processor}), ${system}, Node ${node}; medians of ${rounds} rounds, everybody in turn in each. ` +
    `Load average of the machine meanwhile: ${Math.min(...loads)} to ${Math.max(...loads)}.`
  );
}

/** One benchmark as a page has it: all contenders, sizes and metrics, with the spread of the rounds. */
export function wholeTable(benchmark: BenchmarkResults): string {
  const { head, rows } = rowsOf(benchmark);
  const absent = benchmark.absent.map(({ contender, reason }) => `Not measured: ${contender} (${reason}).`);
  return [markdownTable(head, rows), ...absent].join('\n\n');
}

/** What the front page has room for: the restarts, and descriptors one and 64 at a time. */
export function frontTables(results: Results): string {
  const contenders = (benchmark: string) => [
    ...new Set(results.benchmarks[benchmark]?.results.map(({ contender }) => contender) ?? []),
  ];
  const median = (benchmark: string, contender: string, metric: string, size: number | null = null) => {
    const spread = find(results, benchmark, contender, metric, size);
    return spread === undefined ? '–' : figure(spread.median);
  };
  const name = (contender: string) => (contender.startsWith('fd-handoff') ? `**${contender}**` : contender);
  const restarts = contenders('restart').map((contender) => [
    name(contender),
    ...['failed', 'closed', 'newFailed', 'longestGap'].map((metric) => median('restart', contender, metric)),
  ]);
  // Without the one that sends none.
  const loops = contenders('descriptors').filter((contender) => contender !== 'net.Socket, one byte');
  const descriptors = loops.map((contender) => [
    name(contender),
    ...[1, 64].map((size) => median('descriptors', contender, 'descriptors', size)),
  ]);
  return [
    markdownTable(
      [
        'one restart under 100 strict keep-alive clients',
        'failed requests',
        'connections closed',
        'failed on new connections',
        'longest gap, ms',
      ],
      restarts,
    ),
    markdownTable(
      ['descriptors a second between two processes, acknowledged', 'one at a time', '64 at a time'],
      descriptors,
    ),
  ].join('\n\n');
}

/** Writes the tables into the pages. */
export function writeReport(results: Results, pages: { readonly readme: string; readonly performance: string }): void {
  const readme = readFileSync(pages.readme, 'utf8');
  writeFileSync(pages.readme, fillIn(readme, 'measured', `${frontTables(results)}\n\n${conditions(results)}`));
  let performance = readFileSync(pages.performance, 'utf8');
  performance = fillIn(performance, 'conditions', conditions(results));
  for (const [name, benchmark] of Object.entries(results.benchmarks)) {
    performance = fillIn(performance, name, wholeTable(benchmark));
  }
  writeFileSync(pages.performance, performance);
}
