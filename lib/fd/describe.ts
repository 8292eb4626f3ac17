import { validateFd } from './arguments.ts';
import { native } from './native.ts';
import { systemError } from './system-error.ts';

/** Where a socket is, or its peer. An unnamed Unix socket has none of these. */
export interface SocketAddress {
  /** Numeric, with the zone if there is one (`fe80::1%eth0`). */
  address?: string;
  port?: number;
  /** `@name`: a Linux abstract address. */
  path?: string;
}

interface DescriptionBase {
  fd: number;
  closeOnExec: boolean;
  nonBlocking: boolean;
}

/** A socket, as `describe` tells of it. */
export interface SocketDescription extends DescriptionBase, SocketAddress {
  kind: 'socket';
  /** Absent for a family of another kind (netlink, packet …). */
  family?: 'ipv4' | 'ipv6' | 'unix';
  /** Absent for a type of another kind (raw …). */
  type?: 'stream' | 'datagram' | 'seqpacket';
  listening: boolean;
  /** IPv6 only: whether it keeps from taking IPv4. */
  ipv6Only?: boolean;
  /** Where it is connected to; absent when it is not. */
  peer?: SocketAddress;
}

/** Anything but a socket, as `describe` tells of it. */
export interface OtherDescription extends DescriptionBase {
  /** `'other'`: epoll, eventfd, and what else has no kind of file. */
  kind: 'pipe' | 'file' | 'directory' | 'character-device' | 'block-device' | 'other';
}

/** What a descriptor is: tell the two apart by `kind`. */
export type Description = SocketDescription | OtherDescription;

/**
 * Tells what a descriptor is. fstat(2), fcntl(2), getsockopt(2), getsockname(2), getpeername(2).
 *
 * A descriptor that was received is only a number: look before trusting it.
 *
 * @throws {Error} EBADF.
 */
export function describe(fd: number): Description {
  validateFd(fd);
  const result = native().describe(fd);
  if (typeof result === 'number') throw systemError(result, 'fstat', { fd });
  // The addon leaves `listening` out for everything but sockets, where it always sets it.
  return result as Description;
}
