import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Waits for the end of its standard input, which is the end of whoever holds the other end: only that process does, however
 * it ends. The stop signal goes to the program alone, which knows how to stop what it has started; what is left after that
 * is killed as a group.
 */
const script = `
read -r _
kill -s "$2" "$1" 2>/dev/null
while [ "$3" -gt 0 ] && kill -0 "$1" 2>/dev/null; do sleep 1; set -- "$1" "$2" "$(($3 - 1))"; done
kill -s KILL -- "-$1" 2>/dev/null
`;

/** Whom to end, and how. */
export interface Ward {
  /** The leader of a process group. */
  readonly pid: number;
  readonly stopSignal: NodeJS.Signals;
  /** How long it may take to stop before it is killed, in milliseconds. */
  readonly timeout: number;
}

/**
 * A shell that ends a program when this process is gone without having done so, killed by SIGKILL or the out-of-memory
 * killer, say: nobody would answer for that program on the control path, and its listeners could not be bound again. Linux
 * can do the same by itself (PR_SET_PDEATHSIG), for a process that asks for it between fork and exec, where Node runs
 * nothing of ours.
 */
export class OrphanGuard implements Disposable {
  readonly #shell: ChildProcess;

  constructor({ pid, stopSignal, timeout }: Ward) {
    const seconds = Math.ceil(timeout / 1_000);
    // In a session of its own: what is said to this process's group, by a terminal or a supervisor, is not for it.
    this.#shell = spawn('/bin/sh', ['-c', script, 'sh', String(pid), stopSignal.replace(/^SIG/, ''), String(seconds)], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      env: process.env,
    });
    // Without it a process that is killed leaves its program behind: no reason not to serve.
    this.#shell.on('error', () => {});
    this.#shell.stdin?.on('error', () => {});
    this.#shell.unref();
  }

  /** The program has ended: there is nobody to guard. */
  [Symbol.dispose](): void {
    this.#shell.kill('SIGKILL');
  }
}
