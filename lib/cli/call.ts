import { type Output, type Paint, paintFor } from './colours.ts';
import { type ExitCodeName, exitCodes } from './exit-code.ts';

/** What a call of the command has of the world, and what has come of it. */
export class Call {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: NodeJS.ProcessEnv;
  /** Whether a failure is to be shown with everything that is known of it. */
  debug: boolean;
  /** 0 unless something else was said. */
  exitCode = 0;

  constructor(
    environment: NodeJS.ProcessEnv = process.env,
    stdout: Output = process.stdout,
    stderr: Output = process.stderr,
  ) {
    this.environment = environment;
    this.stdout = stdout;
    this.stderr = stderr;
    this.debug = (environment.FD_HANDOFF_DEBUG ?? '') !== '';
  }

  /** For what goes to standard output. */
  get paint(): Paint {
    return paintFor(this.stdout, this.environment);
  }

  /** A line on standard output: what was asked for. */
  say(line: string): void {
    this.stdout.write(`${line}\n`);
  }

  /** A line on standard error: what goes on meanwhile. */
  note(line: string): void {
    this.stderr.write(`${line}\n`);
  }

  end(name: ExitCodeName): void {
    this.exitCode = exitCodes[name].code;
  }
}
