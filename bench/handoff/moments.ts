/** What the server of this folder tells of when what happened. */
import type { RunningProgram } from '../comparison/running-program.ts';

/** Milliseconds on the clock that all processes share, by what happened then; and `pid` and `memory`, in bytes. */
export type Moments = Readonly<Record<string, number>>;

/** The next that it tells upon `event`: `ready`, `commit` or `gone`. */
export async function told(program: RunningProgram, event: string): Promise<Moments> {
  const [line] = await program.line(new RegExp(`^\\{"event":"${event}".*`));
  return JSON.parse(line) as Moments;
}

/** @throws for what it has not told */
export function at(moments: Moments, moment: string): number {
  const found = moments[moment];
  if (found === undefined) throw new Error(`nothing was told of "${moment}", but of ${Object.keys(moments)}`);
  return found;
}

/** Now, on the same clock. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
