import { type ChildProcess, spawn } from 'node:child_process';
import { Child, type Exit } from '../process/child.ts';
import { CommandError } from './command-error.ts';

/**
 * A program that this process has started, in a session of its own: what a terminal says comes to this process alone, which
 * passes it on once.
 */
export class StartedProgram {
  readonly pid: number;
  /** Settles, and never rejects, when it has ended. */
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;

  private constructor(spawned: ChildProcess, { pid, exited }: Child) {
    this.#process = spawned;
    this.pid = pid;
    this.exited = exited;
  }

  /** Starts it with this process's output; rejects with what a shell would say where there is nothing to start. */
  static async start(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<StartedProgram> {
    const spawned = spawn(command, args, { env, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
    try {
      return new StartedProgram(spawned, await Child.of(spawned));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const exit = code === 'ENOENT' ? 'notFound' : 'notExecutable';
      throw new CommandError(`${command} cannot be started: ${message}.`, {
        code: 'ERR_HANDOFF_EXEC_FAILED',
        exit,
        cause: error,
      });
    }
  }

  /** Sends it a signal; what it has started is its own to tell. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
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
