import { validateFd } from './arguments.ts';
import { native } from './native.ts';
import { systemError } from './system-error.ts';

/** Who is at the other end of a Unix socket. */
export interface PeerCredentials {
  /** The process; 0 if it is not visible from here (another PID namespace). */
  pid: number;
  /** Its effective user. */
  uid: number;
  /** Its effective group. */
  gid: number;
}

/**
 * Tells who is at the other end of a connected Unix stream socket. unix(7), SO_PEERCRED; getpeereid(3) on macOS.
 *
 * It is who connected, or who called `listen`, at that time: the process may have gone, its number may be another's, and
 * a listener that has changed hands still names the former process until `listen` is called again.
 *
 * @throws {Error} ENOTCONN (no peer, or not a Unix socket), EBADF, ENOTSOCK.
 */
export function peerCredentials(fd: number): PeerCredentials {
  validateFd(fd);
  const result = native().peerCredentials(fd);
  if (typeof result === 'number') throw systemError(result, 'getsockopt', { fd });
  return result;
}
