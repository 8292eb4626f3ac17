import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Results } from '../../bench/comparison/results.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';

/** Ten times as long as it takes here while others want the processors; it ends what hangs. */
const limit = { timeout: 600_000 };

interface Ran {
  readonly code: number;
  readonly output: string;
}

/** Runs one of the programs of bench/ to its end. */
function run(program: string, ...commandArguments: string[]): Promise<Ran> {
  const path = fileURLToPath(new URL(`../../bench/${program}`, import.meta.url));
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', 'tsx', path, ...commandArguments],
      { encoding: 'utf8' },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), output: `${stdout}\n${stderr}` }),
    );
  });
}

test('a quick run measures everybody of the project in every benchmark, and is judged', limit, async () => {
  using folder = new TemporaryFolder();
  const file = folder.file('results.json');
  const { code, output } = await run('bench.ts', '--quick', '--no-fetch', '--results', file);
  expect(code, output).toBe(0);

  const { benchmarks, quick } = JSON.parse(readFileSync(file, 'utf8')) as Results;
  expect(quick).toBe(true);
  const own = ['fd-handoff', 'listeners', 'megabytes of state', 'server.listen()', 'adopted listener'];
  for (const { title, metrics, results, absent } of Object.values(benchmarks)) {
    const measured = results.filter(({ contender }) => own.some((name) => contender.startsWith(name)));
    expect(measured.length, title).toBeGreaterThan(0);
    // The plain server has no installed size.
    for (const { contender, metrics: figures } of measured) {
      const named = metrics.map(({ name }) => name).filter((name) => name !== 'installed');
      expect(Object.keys(figures), `${title}: ${contender}`).toEqual(expect.arrayContaining(named));
    }
    expect(absent.filter(({ contender }) => contender.startsWith('fd-handoff'))).toEqual([]);
  }
  // What no load of the machine may change.
  const high = (benchmark: string, metric: string) =>
    benchmarks[benchmark]?.results
      .filter(({ contender }) => contender.startsWith('fd-handoff'))
      .map(({ metrics }) => metrics[metric]?.high);
  expect(high('moving', 'lost')).toEqual([0, 0]);
  expect(high('restart', 'failed')).toEqual([0, 0, 0]);
  expect(high('restart', 'closed')).toEqual([0, 0, 0]);

  // Whether goals are met is for a quiet machine; that they are judged is not.
  const judged = await run('check.ts', '--results', file);
  expect(judged.output).toMatch(/fd-handoff, upgrade: failed requests, in any round: 0 /);
  expect(judged.output).toMatch(/\d+ goals met, \d+ not met/);
  expect(judged.code).toBe(/ 0 not met/.test(judged.output) ? 0 : 1);
});
