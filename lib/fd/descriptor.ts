import { MAXIMUM_INTEGER, validateBoolean, validateFd, validateFds, validateInteger } from './arguments.ts';
import { native } from './native.ts';
import { systemError } from './system-error.ts';

// Shared by all calls, which is safe because none of them waits: as many as can come with one message. A typed array of
// that size for each call would be memory outside of the heap, and cost more than closing.
const closing = new Int32Array(256);

/**
 * Makes another number for the same open file description, with close-on-exec.
 *
 * Both numbers share everything but that flag: the non-blocking mode of one is the other's. With the descriptor itself as
 * the minimum, numbers would climb with every generation until none is left; hence 3.
 *
 * @param fd An open descriptor.
 * @param min The lowest number wanted, 0 or more.
 * @returns The lowest free number not below `min`.
 * @throws {Error} EBADF; EMFILE when the process has no number left; EINVAL when `min` is above its limit. fcntl(2),
 *   F_DUPFD_CLOEXEC.
 */
export function dup(fd: number, min = 3): number {
  validateFd(fd);
  validateInteger(min, 'min', 0, MAXIMUM_INTEGER);
  const result = native().dup(fd, min);
  if (result < 0) throw systemError(result, 'fcntl', { fd });
  return result;
}

/**
 * Makes `target` a copy of `fd`, closing what `target` was. For the standard streams close-on-exec is cleared, because
 * they are there to be inherited; every other target gets it.
 *
 * @throws {Error} EBADF. dup2(2), dup3(2).
 */
export function duplicateTo(fd: number, target: number): void {
  validateFd(fd);
  validateFd(target, 'target');
  const result = native().duplicateTo(fd, target);
  if (result < 0) throw systemError(result, 'dup2', { fd });
}

/**
 * Whether the descriptor closes when this process executes another program. fcntl(2), F_GETFD.
 *
 * @throws {Error} EBADF.
 */
export function getCloseOnExec(fd: number): boolean {
  validateFd(fd);
  const result = native().getCloseOnExec(fd);
  if (result < 0) throw systemError(result, 'fcntl', { fd });
  return result === 1;
}

/**
 * Sets whether the descriptor closes when this process executes another program. fcntl(2), F_SETFD.
 *
 * Never clear it in a process that goes on running: whatever it spawns meanwhile inherits the descriptor.
 *
 * @throws {Error} EBADF.
 */
export function setCloseOnExec(fd: number, on: boolean): void {
  validateFd(fd);
  validateBoolean(on, 'on');
  const result = native().setCloseOnExec(fd, on);
  if (result < 0) throw systemError(result, 'fcntl', { fd });
}

/**
 * Whether reads, writes and accepts on the descriptor return at once. fcntl(2), F_GETFL, O_NONBLOCK.
 *
 * @throws {Error} EBADF.
 */
export function getNonBlocking(fd: number): boolean {
  validateFd(fd);
  const result = native().getNonBlocking(fd);
  if (result < 0) throw systemError(result, 'fcntl', { fd });
  return result === 1;
}

/**
 * Sets whether reads, writes and accepts on the descriptor return at once. fcntl(2), F_SETFL, O_NONBLOCK.
 *
 * The mode belongs to the open file description: it changes for every process that shares the descriptor.
 *
 * @throws {Error} EBADF.
 */
export function setNonBlocking(fd: number, on: boolean): void {
  validateFd(fd);
  validateBoolean(on, 'on');
  const result = native().setNonBlocking(fd, on);
  if (result < 0) throw systemError(result, 'fcntl', { fd });
}

/**
 * Closes the descriptor. close(2).
 *
 * A number is given out again at once, so closing one twice closes somebody else's descriptor: see `OwnedFd`. What
 * another process or number shares stays open.
 *
 * @throws {Error} EBADF.
 */
export function close(fd: number): void {
  validateFd(fd);
  const result = native().close(fd);
  if (result < 0) throw systemError(result, 'close', { fd });
}

/**
 * Closes every one of the descriptors, also when one of them fails, in one call of the addon. close(2).
 *
 * @throws {Error} EBADF for the first that was not open, after all have been tried.
 */
export function closeAll(fds: readonly number[]): void {
  const count = validateFds(fds, 'fds');
  const numbers = count <= closing.length ? closing : new Int32Array(count);
  for (let index = 0; index < count; index++) numbers[index] = fds[index] as number;
  const result = native().closeAll(numbers, count);
  if (result < 0) throw systemError(result, 'close');
}

/**
 * Makes a pipe; both ends have close-on-exec. pipe(2).
 *
 * Both ends block: they are meant for other programs. Set `setNonBlocking` on the end that stays before reading from it.
 *
 * @returns The end to read from and the end to write to.
 * @throws {Error} EMFILE, ENFILE.
 */
export function pipe(): [read: number, write: number] {
  const result = native().pipe();
  if (typeof result === 'number') throw systemError(result, 'pipe');
  return result;
}
