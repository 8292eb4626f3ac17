import { availableParallelism } from 'node:os';
import type { PoolPlan } from '../cluster/worker-pool.ts';
import { checkOptionNames } from '../fd/option-names.ts';
import type { Settings } from '../lifecycle/contract/settings.ts';
import { readTimeout } from '../lifecycle/contract/timeout.ts';
import { scriptOfThisProcess, throughLinks } from '../process/start/start.ts';

/** How many workers to fork, and how; everything has a default. */
export interface WorkersOptions {
  /** How many; by default as many as the machine runs at the same time (`os.availableParallelism()`). */
  readonly count?: number;
  /** The script that they run; by default the primary's own, which asks `cluster.isPrimary`. */
  readonly script?: string;
  /** Its arguments; by default the primary's own, or none with another `script`. */
  readonly args?: readonly string[];
  /** Added to the primary's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** How long a worker may take from its start to ready, in milliseconds; the primary's by default. */
  readonly readyTimeout?: number;
  /**
   * How long a worker may take to finish what it has, in milliseconds; the primary's `drainTimeout` by default. When the
   * primary itself leaves, for no longer than that may take.
   */
  readonly drainTimeout?: number;
}

const names: Readonly<Record<keyof WorkersOptions, true>> = {
  count: true,
  script: true,
  args: true,
  env: true,
  readyTimeout: true,
  drainTimeout: true,
};

/** The options with their defaults, checked. */
export function readWorkersOptions(
  options: WorkersOptions,
  settings: Settings,
): Omit<PoolPlan, 'generation' | 'listeners' | 'stderr' | 'reopenings'> {
  checkOptionNames('workers()', options, names);
  const { count = availableParallelism(), script, args, env = {}, readyTimeout, drainTimeout } = options;
  if (!Number.isInteger(count) || count < 1) {
    throw Object.assign(
      new RangeError(
        `The value of "count" is out of range. It must be a whole number of at least 1. Received ${count}`,
      ),
      { code: 'ERR_OUT_OF_RANGE' },
    );
  }
  const own = scriptOfThisProcess();
  const path = script === undefined ? own?.script : script;
  if (typeof path !== 'string' || path === '') {
    throw invalid(
      'The "script" option must be a path; it has no default where this process was started without a script.',
    );
  }
  if (args !== undefined && !(Array.isArray(args) && args.every((argument) => typeof argument === 'string'))) {
    throw invalid(`The "args" option must be an array of strings. Received ${typeof args}`);
  }
  if (typeof env !== 'object' || env === null) throw invalid(`The "env" option must be an object. Received ${env}`);
  return {
    count,
    // Its own is as it was written, from the folder of the start; another one is from the current folder.
    script: script === undefined ? path : throughLinks(path),
    args: args ?? (script === undefined ? (own?.args ?? []) : []),
    cwd: own?.cwd ?? process.cwd(),
    env,
    readyTimeout: readTimeout('readyTimeout', readyTimeout ?? settings.readyTimeout),
    drainTimeout: readTimeout('drainTimeout', drainTimeout ?? settings.drainTimeout),
    retreatTimeout: Math.min(drainTimeout ?? settings.shutdownTimeout, settings.shutdownTimeout),
  };
}

function invalid(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}
