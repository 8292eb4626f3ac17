import { speak } from '../../app/command-parts.ts';
import { type Output, type Paint, paintFor } from './colours.ts';
import { type ExitCodeName, exitCodes } from './exit-code.ts';

/** What a call of the command has of the world, and what has come of it. */
export class Call {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: NodeJS.ProcessEnv;
  /** Whether a failure is to be shown with everything that is known of it. */
  debug: boolean;
  /** What it is for: to do something, whoever hears of it, or to tell something, which is nothing without a reader. */
  purpose: 'to do' | 'to tell' = 'to tell';
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
    speak(this.stdout, `${line}\n`);
  }

  /** A line on standard error: what goes on meanwhile. */
  note(line: string): void {
    speak(this.stderr, `${line}\n`);
  }

  /** Standard output cannot be written. */
  loseOutput({ code, message }: NodeJS.ErrnoException): void {
    if (this.purpose === 'to do') return;
    // Whoever read it has gone, as head(1) does: nobody is left to be told anything.
    if (code === 'EPIPE') process.exit(0);
    if (this.exitCode !== 0) return;
    this.end('failed');
    this.note(`fd-handoff: What was asked for could not be written: ${message}.`);
  }

  end(name: ExitCodeName): void {
    this.exitCode = exitCodes[name].code;
  }
}
