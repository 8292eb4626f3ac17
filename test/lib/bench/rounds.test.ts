import { expect, test } from 'vitest';
import type { Benchmark } from '../../../bench/comparison/benchmark.ts';
import { runBenchmark } from '../../../bench/comparison/rounds.ts';
import { never } from '../../support/never.ts';

/** Two contenders whose figures count up, and who write down when it was whose turn. */
function counting(turns: string[]): Benchmark {
  const contender = (name: string) => ({
    contender: name,
    size: null,
    measure: async () => {
      turns.push(name);
      return { turn: turns.length };
    },
  });
  return {
    name: 'counting',
    title: 'Counting',
    metrics: [{ name: 'turn', title: 'turn', unit: '' }],
    prepare: async () => ({
      cases: [contender('one'), contender('other')],
      absent: [{ contender: 'third', reason: 'not here' }],
      close: async () => void turns.push('closed'),
    }),
  };
}

test('contenders take turns in every round, and every other round backwards', async () => {
  const turns: string[] = [];
  const results = await runBenchmark(counting(turns), {
    rounds: 3,
    quick: true,
    fetch: false,
    onProgress: () => {},
    signal: never,
  });
  expect(turns).toEqual(['one', 'other', 'other', 'one', 'one', 'other', 'closed']);
  expect(results.results.map(({ contender, metrics }) => [contender, metrics.turn?.samples])).toEqual([
    ['one', [1, 4, 5]],
    ['other', [2, 3, 6]],
  ]);
  expect(results.absent).toEqual([{ contender: 'third', reason: 'not here' }]);
});

test('what was started is ended when a measurement fails', async () => {
  const turns: string[] = [];
  const aborted = AbortSignal.abort(new Error('enough'));
  const run = runBenchmark(counting(turns), {
    rounds: 1,
    quick: true,
    fetch: false,
    onProgress: () => {},
    signal: aborted,
  });
  await expect(run).rejects.toThrow('enough');
  expect(turns).toEqual(['closed']);
});
