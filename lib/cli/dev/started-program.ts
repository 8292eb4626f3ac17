import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Child, OrphanGuard } from '../../app/command-parts.ts';
import type { Exit } from '../../process/start/child.ts';
import { CommandError } from '../call/command-error.ts';

export interface ProgramStart {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** How long it may take to end where this process is killed, in milliseconds, before it is killed as well. */
  readonly stopTimeout: number;
}

/**
 * A program that this process has started, in a session of its own: what a terminal says comes to this process alone, which
 * passes it on once. It is told to end where this process is killed.
 */
export class StartedProgram {
  readonly pid: number;
  /** Settles, and never rejects, when it has ended. What it has started may go on: a successor, say. */
  readonly exited: Promise<Exit>;
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
    this.pid = child.pid;
    this.exited = child.exited;
  }

  /** Starts it with this process's output; rejects with what a shell would say where there is nothing to start. */
  static async start({ command, args, env, stopTimeout }: ProgramStart): Promise<StartedProgram> {
    const spawned = spawn(command, args, { env, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
    try {
      const child = await Child.of(spawned);
      const guard = new OrphanGuard({ pid: child.pid, stopSignal: 'SIGTERM', timeout: stopTimeout });
      void child.exited.then(() => guard[Symbol.dispose]());
      return new StartedProgram(child);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const exit = code === 'ENOENT' ? 'notFound' : 'notExecutable';
      const advice = isScript(command) ? ` It is run by a program: node ${command}` : '';
      throw new CommandError(`${command} cannot be started: ${message}.${advice}`, {
        code: 'ERR_HANDOFF_EXEC_FAILED',
        exit,
        cause: error,
      });
    }
  }

  /** Sends it a signal; what it has started is its own to tell. */
  signal(signal: NodeJS.Signals): void {
    this.#child.signal(signal);
  }

  /** Ends it and everything that it has started, at once. */
  kill(): void {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // Nobody is left in its group.
    }
  }
}

/** What other tools of this kind run by themselves. */
function isScript(command: string): boolean {
  return /\.[cm]?[jt]sx?$/.test(command) && existsSync(command);
}
