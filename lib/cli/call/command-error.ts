import type { ExitCodeName } from './exit-code.ts';

/** A failure whose exit code its own code does not tell, or whose message says more here than where it came from. */
export class CommandError extends Error {
  /** For programs to tell failures apart; null for a mistake in the command line, which has none. */
  readonly code: string | null;
  readonly exit: ExitCodeName;

  constructor(message: string, { code, exit, cause }: { code: string | null; exit: ExitCodeName; cause?: unknown }) {
    super(message, { cause });
    this.code = code;
    this.exit = exit;
  }
}
