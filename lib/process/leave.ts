import { setTimeout as delay } from 'node:timers/promises';

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

/** Resolves when what is pending on standard output and error is written, or nobody seems to read it. */
export async function flushOutput(): Promise<void> {
  await Promise.race([Promise.all([flush(process.stdout), flush(process.stderr)]), delay(flushLimit)]);
}

function flush(stream: NodeJS.WriteStream): Promise<void> {
  // The callback comes with an error where the reader is gone: then there is nothing to wait for either.
  return new Promise((resolve) => {
    if (stream.writable) stream.write('', () => resolve());
    else resolve();
  });
}
