/** Programs that measure by themselves and print one line of JSON. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** How long one may take, in milliseconds: many times what any needs; it ends one that hangs. */
const programDeadline = 60_000;

/** Runs a program to its end and returns what the last line of its output says. */
export async function outputOf(command: string, commandArguments: readonly string[]): Promise<Record<string, number>> {
  const { stdout } = await run(command, [...commandArguments], { timeout: programDeadline, killSignal: 'SIGKILL' });
  const line = stdout.trim().split('\n').at(-1) ?? '';
  return JSON.parse(line) as Record<string, number>;
}
