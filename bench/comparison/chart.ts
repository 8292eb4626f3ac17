/**
 * The picture: one bar chart for each question, drawn by Vega-Lite, which is fetched for it, and put below one another in
 * one SVG. It is on a ground of its own, so that it can be read in a dark page, too.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { benchPackages } from '../fetched-packages.ts';
import { find, type Results } from './results.ts';
import type { Spread } from './statistics.ts';

interface Bar {
  readonly contender: string;
  readonly group: string;
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly own: boolean;
}

interface Question {
  readonly title: string;
  readonly axis: string;
  readonly scale?: 'log';
  readonly bars: readonly Bar[];
}

const ownColour = '#0b7a4b';
const otherColour = '#9aa5b1';

function isOwn(contender: string): boolean {
  return contender.startsWith('fd-handoff') || contender === 'adopted listener';
}

function bar(contender: string, group: string, spread: Spread | undefined): Bar[] {
  if (spread === undefined) return [];
  const { median, low, high } = spread;
  return [{ contender, group, median, low, high, own: isOwn(contender) }];
}

function contendersOf(results: Results, benchmark: string): string[] {
  return [...new Set(results.benchmarks[benchmark]?.results.map(({ contender }) => contender) ?? [])];
}

function questions(results: Results): Question[] {
  const restarts = contendersOf(results, 'restart');
  const restart = (metric: string) =>
    restarts.flatMap((contender) => bar(contender, '', find(results, 'restart', contender, metric)));
  const loops = contendersOf(results, 'descriptors');
  const descriptors = [1, 64].flatMap((size) =>
    loops.flatMap((contender) =>
      bar(contender, `${size} at a time`, find(results, 'descriptors', contender, 'descriptors', size)),
    ),
  );
  return [
    { title: 'Failed requests in one restart, 100 keep-alive clients', axis: 'requests', bars: restart('failed') },
    { title: 'Connections closed in one restart, of 100', axis: 'connections', bars: restart('closed') },
    { title: 'Longest gap without an answer', axis: 'ms', bars: restart('longestGap') },
    {
      title: 'Descriptors a second, acknowledged, between two processes',
      axis: 'descriptors/s',
      scale: 'log',
      bars: descriptors,
    },
  ].filter(({ bars }) => bars.length > 0) as Question[];
}

/** One question as Vega-Lite has it. */
function specification({ title, axis, scale, bars }: Question): object {
  const grouped = bars.some(({ group }) => group !== '');
  const order = [...new Set(bars.map(({ contender }) => contender))];
  const y = { field: 'contender', type: 'nominal', sort: order, title: null, axis: { labelLimit: 280, ticks: false } };
  const quantitative = { type: 'quantitative', title: axis };
  const layers = {
    layer: [
      {
        mark: { type: 'bar', height: { band: 0.7 } },
        encoding: {
          y,
          // A logarithm has no zero to begin at.
          x: {
            field: 'median',
            ...quantitative,
            scale: scale === 'log' ? { type: 'log', domainMin: 1000 } : { zero: true },
          },
          ...(scale === 'log' ? { x2: { datum: 1000 } } : {}),
          color: {
            field: 'own',
            type: 'nominal',
            legend: null,
            scale: { domain: [true, false], range: [ownColour, otherColour] },
          },
        },
      },
      {
        mark: { type: 'rule', color: '#333' },
        encoding: { y, x: { field: 'low', ...quantitative }, x2: { field: 'high' } },
      },
      {
        mark: { type: 'text', align: 'left', dx: 6, fontSize: 10 },
        encoding: { y, x: { field: 'high', ...quantitative }, text: { field: 'label', type: 'nominal' } },
      },
    ],
    width: grouped ? 300 : 560,
    height: { step: 20 },
  };
  return {
    title: { text: title, anchor: 'start' },
    data: { values: bars.map((each) => ({ ...each, label: Math.round(each.median).toLocaleString('en-US') })) },
    ...(grouped
      ? {
          facet: {
            column: {
              field: 'group',
              type: 'nominal',
              title: null,
              sort: [...new Set(bars.map(({ group }) => group))],
            },
          },
          spec: layers,
        }
      : layers),
  };
}

/** The whole picture as SVG. */
export async function chart(results: Results): Promise<string> {
  const require = createRequire(join(benchPackages.folder(), 'package.json'));
  const load = (name: string) => import(pathToFileURL(require.resolve(name)).href);
  const vega = await load('vega');
  const vegaLite = await load('vega-lite');
  const { spec } = vegaLite.compile({
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    background: 'white',
    padding: 16,
    config: { font: 'sans-serif', view: { stroke: null }, axis: { grid: true, gridColor: '#eee', domain: false } },
    vconcat: questions(results).map(specification),
    resolve: { scale: { color: 'independent' } },
  });
  return new vega.View(vega.parse(spec), { renderer: 'none' }).toSVG();
}
