import { constants } from 'node:os';
import { validateFd } from './arguments.ts';
import { native } from './native.ts';
import { systemError } from './system-error.ts';

/**
 * Takes the exclusive lock of the file that `fd` is open on, without waiting. flock(2).
 *
 * It belongs to the open file description: a copy of the descriptor, in this process or another, holds it too, and it is
 * released when the last copy closes, whatever ends the process.
 *
 * @returns `false` if another open file description has it.
 * @throws {Error} EBADF, ENOLCK.
 */
export function tryLock(fd: number): boolean {
  validateFd(fd);
  const result = native().lock(fd);
  if (result >= 0) return true;
  if (result === -constants.errno.EAGAIN) return false;
  throw systemError(result, 'flock', { fd });
}

/** Releases the lock for every copy of the descriptor. flock(2). */
export function unlock(fd: number): void {
  validateFd(fd);
  const result = native().unlock(fd);
  if (result < 0) throw systemError(result, 'flock', { fd });
}
