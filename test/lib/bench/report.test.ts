import { expect, test } from 'vitest';
import { fillIn, frontTables } from '../../../bench/comparison/report.ts';
import type { Results } from '../../../bench/comparison/results.ts';
import { spreadOf } from '../../../bench/comparison/statistics.ts';

test('what stands between the markers is replaced, as often as one likes', () => {
  const page = 'before\n<!-- figures -->\nold\n<!-- /figures -->\nafter\n';
  const filled = fillIn(page, 'figures', 'new');
  expect(filled).toBe('before\n<!-- figures -->\nnew\n<!-- /figures -->\nafter\n');
  expect(fillIn(filled, 'figures', 'new')).toBe(filled);
  expect(() => fillIn('nothing', 'figures', 'new')).toThrow('markers');
});

test('the front page shows medians, and a dash for what was not measured', () => {
  const results: Results = {
    machine: { cores: 2, processor: 'some', system: 'linux', node: 'v20' },
    rounds: 3,
    quick: false,
    benchmarks: {
      restart: {
        title: 'A restart',
        metrics: [],
        results: [{ contender: 'fd-handoff, upgrade', size: null, metrics: { failed: spreadOf([0, 0, 5]) } }],
        absent: [],
        load: [0, 0],
      },
    },
  };
  expect(frontTables(results)).toContain('| **fd-handoff, upgrade** | 0 | – | – | – |');
});
