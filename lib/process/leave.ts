import { setTimeout as delay } from 'node:timers/promises';
import { standardError, standardOutput } from './output/standard-output.ts';

/**
 * How long the last output may take to reach whoever reads it. A reader that is alive empties a pipe in milliseconds;
 * one that is stopped must not keep a drained process for good.
 */
const flushLimit = 1_000;

/** Ends the process once what is pending on standard output and error is written: `exit` alone cuts it off. */
export async function leave(exitCode: number): Promise<never> {
  await flushOutput();
  process.exit(exitCode);
}

/**
 * Resolves when what is pending on standard output and error is written, or nobody seems to read it; with whether somebody
 * does.
 *
 * @param limit how long that may take, in milliseconds
 */
export function flushOutput(limit = flushLimit): Promise<boolean> {
  const flushed = Promise.all([standardOutput.flush(), standardError.flush()]).then(() => true);
  return Promise.race([flushed, delay(limit, false)]);
}
