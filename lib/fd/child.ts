import { constants } from 'node:os';
import { outOfRange } from './arguments.ts';
import { native } from './native.ts';
import { systemError } from './system-error.ts';

/**
 * Waits for one child of this process that has ended already, so that it is no zombie any more; never for one that runs.
 * Not for a child of `node:child_process`, whose end libuv would never hear of then. waitpid(2).
 *
 * @returns Whether there is no such child any more: it was waited for now, or is none of this process.
 */
export function reap(pid: number): boolean {
  // 0 and what is negative would be any child of a group, or any at all.
  if (!Number.isInteger(pid) || pid < 1 || pid > 2 ** 31 - 1) throw outOfRange('pid', 'a process id', pid);
  const result = native().reap(pid);
  if (result < 0 && result !== -constants.errno.ECHILD) throw systemError(result, 'waitpid');
  return result !== 0;
}
