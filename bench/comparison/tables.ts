/** Results as tables: for the terminal, and in Markdown. */
import { plainTable } from '../load-table.ts';
import type { Metric } from './benchmark.ts';
import type { BenchmarkResults, Result, Results } from './results.ts';
import type { Spread } from './statistics.ts';

/** As many digits as the figure is worth: three, and all of those before the point. */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return '0';
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(size >= 10 ? 1 : 2);
}

/** `4.2 (3.9–5.0)`: the median, and from the lowest to the highest of the rounds. */
export function spreadText({ median, low, high }: Spread): string {
  return low === high ? figure(median) : `${figure(median)} (${figure(low)}–${figure(high)})`;
}

function headOf({ title, unit }: Metric): string {
  return unit === '' ? title : `${title}, ${unit}`;
}

/** The rows of one benchmark: contender, size where something grows, and a column for each metric. */
export function rowsOf({ sizeTitle, metrics, results }: BenchmarkResults): { head: string[]; rows: string[][] } {
  const withSize = sizeTitle !== undefined;
  return {
    head: ['', ...(withSize ? [sizeTitle] : []), ...metrics.map(headOf)],
    rows: results.map(({ contender, size, metrics: measured }: Result) => [
      contender,
      ...(withSize ? [size === null ? '' : size.toLocaleString('en-US')] : []),
      ...metrics.map(({ name }) => {
        const spread = measured[name];
        return spread === undefined ? '–' : spreadText(spread);
      }),
    ]),
  };
}

/** For the terminal. */
export function plainTables({ benchmarks }: Results): string {
  return Object.values(benchmarks)
    .flatMap((benchmark) => {
      const { head, rows } = rowsOf(benchmark);
      const absent = benchmark.absent.map(({ contender, reason }) => `absent: ${contender} (${reason})`);
      return [benchmark.title, plainTable(head, rows), ...absent, ''];
    })
    .join('\n');
}

/** A table in Markdown; numbers to the right. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
