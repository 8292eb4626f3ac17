import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { readOptions } from '../../../lib/app/options.ts';
import { readWorkersOptions } from '../../../lib/app/workers-options.ts';

const settings = readOptions({ readyTimeout: 1_000, drainTimeout: 2_000, shutdownTimeout: 500 });

it('everything has a default: this script, its arguments, the timeouts of the primary, a worker a processor', () => {
  const plan = readWorkersOptions({}, settings);
  expect(plan).toMatchObject({
    count: availableParallelism(),
    script: process.argv[1],
    args: process.argv.slice(2),
    env: {},
    readyTimeout: 1_000,
    drainTimeout: 2_000,
    retreatTimeout: 500,
  });
});

it('another script has no arguments of its own, and is found from the folder that this one runs in', () => {
  const plan = readWorkersOptions({ count: 3, script: 'worker.js', drainTimeout: 5 }, settings);
  expect(plan).toMatchObject({
    count: 3,
    script: `${process.cwd()}/worker.js`,
    args: [],
    drainTimeout: 5,
    retreatTimeout: 5,
  });
});

it.each([
  [{ count: 0 }, 'ERR_OUT_OF_RANGE'],
  [{ count: 1.5 }, 'ERR_OUT_OF_RANGE'],
  [{ script: '' }, 'ERR_INVALID_ARG_TYPE'],
  [{ args: [1] as unknown as string[] }, 'ERR_INVALID_ARG_TYPE'],
  [{ env: null as unknown as NodeJS.ProcessEnv }, 'ERR_INVALID_ARG_TYPE'],
  [{ readyTimeout: -1 }, 'ERR_OUT_OF_RANGE'],
])('%o is refused', (options, code) => {
  expect(() => readWorkersOptions(options, settings)).toThrow(expect.objectContaining({ code }));
});
