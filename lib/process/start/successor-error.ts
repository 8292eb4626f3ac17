import { HandoffError } from '../../fd/handoff-error.ts';
import type { Child, Exit, Part } from './child.ts';

/** A failed `upgrade()` or preflight: besides the reason, what is known of the child that failed. */
export class SuccessorError extends HandoffError {
  /** The process id of the child that failed. */
  readonly pid: number;
  /** Its exit code; null where a signal ended it. */
  readonly exitCode: number | null;
  /** The signal that ended it; null where it exited by itself. */
  readonly signal: NodeJS.Signals | null;
  /** The end of what it wrote to standard error, 4 KiB at most. */
  readonly stderr: string;

  private constructor(code: HandoffError['code'], message: string, child: Child, exit: Exit, cause: unknown) {
    const { pid, stderr } = child;
    super(code, stderr === '' ? message : `${message} Its standard error ended with:\n${stderr}`, { cause });
    this.pid = pid;
    this.exitCode = exit.code;
    this.signal = exit.signal;
    this.stderr = stderr;
  }

  /**
   * For a child that has exited by itself, with what it has said; `before` is what it should have come to.
   *
   * @internal
   */
  static exited(
    { name, others }: Part,
    child: Child,
    exit: Exit,
    { code, before, cause }: { code: HandoffError['code']; before?: string; cause?: unknown },
  ): SuccessorError {
    const status = exit.signal === null ? `with code ${exit.code}` : `by ${exit.signal}`;
    const when = before === undefined ? '' : ` before ${before}`;
    const message = `The ${name} (process ${child.pid}) exited ${status}${when}; ${others}.`;
    return new SuccessorError(code, message, child, exit, cause);
  }

  /**
   * For a child that was ended because of `error`: adds to that what is known of the child.
   *
   * @internal
   */
  static ended({ name, others }: Part, child: Child, exit: Exit, error: HandoffError): SuccessorError {
    const message = `${error.message} The ${name} (process ${child.pid}) was ended; ${others}.`;
    return new SuccessorError(error.code, message, child, exit, error);
  }
}
