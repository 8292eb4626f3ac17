import { validateBoolean, validateFd } from './arguments.ts';
import { native } from './native.ts';
import { systemError } from './system-error.ts';

/** Which other sockets may be bound to the address of this one. */
export interface Reuse {
  /** SO_REUSEADDR. */
  readonly address: boolean;
  /** SO_REUSEPORT. */
  readonly port: boolean;
}

/**
 * Tells who else may bind to a socket's address. getsockopt(2), socket(7).
 *
 * @throws {Error} EBADF, ENOTSOCK.
 */
export function getReuse(fd: number): Reuse {
  validateFd(fd);
  const bits = native().getReuse(fd);
  if (bits < 0) throw systemError(bits, 'getsockopt', { fd });
  return { address: (bits & 1) !== 0, port: (bits & 2) !== 0 };
}

/**
 * Says who else may bind to a socket's address from now on: both options are looked at when the other one binds. They
 * belong to the socket and so to every process that shares it. setsockopt(2), socket(7).
 *
 * @throws {Error} EBADF, ENOTSOCK.
 */
export function setReuse(fd: number, { address, port }: Reuse): void {
  validateFd(fd);
  validateBoolean(address, 'address');
  validateBoolean(port, 'port');
  const result = native().setReuse(fd, address, port);
  if (result < 0) throw systemError(result, 'setsockopt', { fd });
}
