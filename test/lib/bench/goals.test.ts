import { expect, test } from 'vitest';
import { judgeAll } from '../../../bench/comparison/goals.ts';
import type { Result, Results } from '../../../bench/comparison/results.ts';
import { spreadOf } from '../../../bench/comparison/statistics.ts';

function resultsOf(benchmark: string, results: readonly Result[]): Results {
  return {
    machine: { cores: 2, processor: 'some', system: 'linux', node: 'v20' },
    rounds: 3,
    quick: false,
    benchmarks: { [benchmark]: { title: '', metrics: [], results, absent: [], load: [0, 0] } },
  };
}

test('a ratio is judged round by round, whatever the machine did meanwhile', () => {
  const figures = (contender: string, samples: number[]): Result => ({
    contender,
    size: 64,
    metrics: { descriptors: spreadOf(samples) },
  });
  const judgements = judgeAll(
    resultsOf('descriptors', [
      figures('fd-handoff/channel', [500, 50, 500]),
      figures('usocket', [400, 40, 400]),
      figures('C, two processes', [1000, 100, 1000]),
    ]),
  );
  const of = (goal: string) => judgements.find((judgement) => judgement.goal === goal);
  expect(of('fd-handoff/channel by usocket, 64 at a time')).toMatchObject({ met: true, figure: 1.25 });
  expect(of('fd-handoff/channel by C, 64 at a time')).toMatchObject({ met: false, figure: 0.5 });
});

test('one failed request in one round is one too many', () => {
  const metrics = { failed: spreadOf([0, 1, 0]), closed: spreadOf([0, 0, 0]) };
  const judgements = judgeAll(resultsOf('restart', [{ contender: 'fd-handoff, upgrade', size: null, metrics }]));
  expect(judgements.filter(({ met }) => met === false).map(({ goal }) => goal)).toEqual([
    'fd-handoff, upgrade: failed requests, in any round',
  ]);
});

test('what was not measured is not judged', () => {
  expect(new Set(judgeAll(resultsOf('restart', [])).map(({ met }) => met))).toEqual(new Set([null]));
});
