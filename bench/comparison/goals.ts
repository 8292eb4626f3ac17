/**
 * What the project sets itself, as ratios within one run, and as absolute figures only where the goal is one. A goal whose
 * figures are missing, because a peer was, is not judged.
 */
import { find, type Results } from './results.ts';
import { ratio, type Spread } from './statistics.ts';

export interface Judgement {
  readonly goal: string;
  /** Null where there is nothing to judge by. */
  readonly met: boolean | null;
  readonly figure: number | null;
  /** What the figure has to be: at least, or at most. */
  readonly bound: { readonly least: number } | { readonly most: number };
}

type Bound = Judgement['bound'];

function judge(goal: string, figure: number | undefined, bound: Bound): Judgement {
  if (figure === undefined || Number.isNaN(figure)) return { goal, met: null, figure: null, bound };
  return { goal, met: 'least' in bound ? figure >= bound.least : figure <= bound.most, figure, bound };
}

function ratioOf(one: Spread | undefined, other: Spread | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : ratio(one, other);
}

const ownRestarts = ['fd-handoff, upgrade', 'fd-handoff, separate start', 'fd-handoff, reexec'];

/** Nobody serves while one image of a process makes room for the next: who asks then waits, and p99 is that wait. */
const withOverlap = ownRestarts.slice(0, 2);

const batches = [1, 16, 64, 253];

function restartGoals(results: Results): Judgement[] {
  const highest = (contender: string, metric: string) => find(results, 'restart', contender, metric)?.high;
  const median = (contender: string, metric: string) => find(results, 'restart', contender, metric)?.median;
  return [
    ...ownRestarts.flatMap((contender) => [
      judge(`${contender}: failed requests, in any round`, highest(contender, 'failed'), { most: 0 }),
      judge(`${contender}: failed on new connections, in any round`, highest(contender, 'newFailed'), { most: 0 }),
      judge(`${contender}: connections closed, in any round`, highest(contender, 'closed'), { most: 0 }),
    ]),
    ...withOverlap.map((contender) =>
      judge(`${contender}: p99 during the replacement, by that before`, median(contender, 'p99Ratio'), { most: 2 }),
    ),
  ];
}

function handoffGoals(results: Results): Judgement[] {
  return [
    judge('the handoff itself, ms', find(results, 'handoff', 'listeners', 'own', 1)?.median, { most: 5 }),
    judge(
      'event loop of the old process blocked with 10 000 connections, ms',
      find(results, 'moving', 'fd-handoff', 'blocked', 10_000)?.median,
      { most: 10 },
    ),
  ];
}

function descriptorGoals(results: Results): Judgement[] {
  const figure = (benchmark: string, contender: string, size: number) =>
    find(results, benchmark, contender, 'descriptors', size);
  const calls = (size: number) =>
    judge(
      `fd-handoff/fd by C, ${size} at a time`,
      ratioOf(figure('calls', 'fd-handoff/fd', size), figure('calls', 'C, one process', size)),
      { least: 0.8 },
    );
  const channels = (benchmark: string, where: string) => {
    const own = (size: number) => figure(benchmark, 'fd-handoff/channel', size);
    const against = (name: string, contender: string, size: number, least: number) =>
      judge(
        `fd-handoff/channel by ${name}, ${size} at a time${where}`,
        ratioOf(own(size), figure(benchmark, contender, size)),
        { least },
      );
    return [
      ...batches.map((size) => against('child.send', 'child.send', size, 1.3)),
      against('usocket', 'usocket', 64, 1),
      against('C', 'C, two processes', 64, 0.6),
    ];
  };
  return [
    ...batches.map(calls),
    ...channels('descriptors', ''),
    // The same without what it costs to wake another processor, which is nobody's work.
    ...channels('one-processor', ', on one processor'),
  ];
}

function movingGoals(results: Results): Judgement[] {
  const figure = (metric: string) => find(results, 'moving', 'fd-handoff', metric, 10_000);
  return [
    judge('10 000 connections: moved a second', figure('perSecond')?.median, { least: 20_000 }),
    judge('10 000 connections: all moved within, ms', figure('total')?.median, { most: 1000 }),
    judge('10 000 connections: memory of each in the new process, kB', figure('memoryNew')?.median, { most: 20 }),
    judge('10 000 connections: lost, in any round', figure('lost')?.high, { most: 0 }),
  ];
}

function idleGoals(results: Results): Judgement[] {
  const figure = (contender: string, metric: string) => find(results, 'idle', contender, metric);
  const adopted = (metric: string) => figure('adopted listener', metric);
  const plain = (metric: string) => figure('server.listen()', metric);
  const startUp = adopted('startUp');
  const plainStartUp = plain('startUp');
  return [
    judge(
      'adopted listener: requests a second, by server.listen()',
      ratioOf(adopted('perSecond'), plain('perSecond')),
      {
        least: 0.98,
      },
    ),
    judge('adopted listener: p50, by server.listen()', ratioOf(adopted('p50'), plain('p50')), { most: 1.02 }),
    judge(
      'start-up: longer than without the library, ms',
      startUp && plainStartUp && startUp.median - plainStartUp.median,
      { most: 10 },
    ),
  ];
}

/** Every goal, in the order of the benchmarks. */
export function judgeAll(results: Results): Judgement[] {
  return [restartGoals, handoffGoals, descriptorGoals, movingGoals, idleGoals].flatMap((goals) => goals(results));
}
