import { CommanderError } from 'commander';
import type { Call } from './call.ts';
import { paintFor } from './colours.ts';
import { CommandError } from './command-error.ts';
import { type ExitCodeName, exitCodeNameOf } from './exit-code.ts';

/**
 * Says what has failed, in one sentence after its code, and sets the exit code. A stack trace is for those who change the
 * program: it is shown with `--debug` only.
 */
export function reportFailure(error: unknown, call: Call): void {
  // Said by commander itself already: a mistake in the command line, or the help that was asked for.
  if (error instanceof CommanderError) {
    if (error.exitCode !== 0) call.end('usage');
    return;
  }
  const { code, message, exit } = describeFailure(error);
  const paint = paintFor(call.stderr, call.environment);
  call.note(`${paint('red', ['fd-handoff', ...(code === null ? [] : [code])].join(': '))}: ${message}`);
  if (call.debug && error instanceof Error) call.note(withCauses(error));
  call.end(exit);
}

/** What of an error is told: its code, its sentence, and which exit code it is. */
export function describeFailure(error: unknown): { code: string | null; message: string; exit: ExitCodeName } {
  if (error instanceof CommandError) return error;
  if (!(error instanceof Error)) return { code: null, message: String(error), exit: 'failed' };
  const { code } = error as NodeJS.ErrnoException;
  return { code: code ?? null, message: error.message, exit: exitCodeNameOf(code) };
}

function withCauses(error: Error): string {
  const stacks: string[] = [];
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    stacks.push(cause.stack ?? cause.message);
  return stacks.join('\ncaused by: ');
}
