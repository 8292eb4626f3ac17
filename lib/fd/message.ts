import { constants } from 'node:os';
import {
  MAXIMUM_INTEGER,
  outOfRange,
  validateBytes,
  validateFd,
  validateFds,
  validateInteger,
  validatePath,
} from './arguments.ts';
import { HandoffError } from './handoff-error.ts';
import { native } from './native.ts';
import { systemError } from './system-error.ts';

/** The most descriptors that one message can carry: Linux refuses 254. */
export const MAXIMUM_DESCRIPTORS = 253;

/** What `receiveMessage` took from a socket. */
export interface Message {
  /** The bytes; none at the end of the stream. */
  data: Buffer;
  /** The descriptors, close-on-exec, in the order in which they were sent. They are the caller's to close. */
  fds: number[];
}

// Shared by all calls, which is safe because none of them waits. The addon works on this memory in place; results are
// copied out, because most messages are far smaller than the room they are given.
const SCRATCH_BYTES = 65_536;
const outgoing = new Int32Array(MAXIMUM_DESCRIPTORS);
const incoming = new Int32Array(1 + MAXIMUM_DESCRIPTORS);
let scratch: Buffer | undefined;

// The first element of `incoming` when everything that arrived has been closed (native/message.h).
const TRUNCATED_BY_SYSTEM = -1;

// For the few bytes of most messages a loop is faster than making a view to copy from.
function copyOf(bytes: Buffer, length: number): Buffer {
  const copy = Buffer.allocUnsafe(length);
  if (length > 64) {
    bytes.copy(copy, 0, 0, length);
  } else {
    for (let index = 0; index < length; index++) copy[index] = bytes[index] as number;
  }
  return copy;
}

function putDescriptors(fds: readonly number[], data: Uint8Array): number {
  const count = validateFds(fds, 'fds');
  if (count > MAXIMUM_DESCRIPTORS) throw outOfRange('fds.length', `<= ${MAXIMUM_DESCRIPTORS}`, count);
  if (count > 0 && data.length === 0) {
    throw outOfRange('data.length', '>= 1 with descriptors, because the system drops them otherwise', 0);
  }
  for (let index = 0; index < count; index++) outgoing[index] = fds[index] as number;
  return count;
}

/**
 * Writes bytes and descriptors to a connected Unix socket in one message, without waiting. sendmsg(2), SCM_RIGHTS.
 *
 * The other side must take it with `receiveMessage`: an ordinary read loses the descriptors, and `net.Socket` reads that
 * way. The originals stay open here; on macOS keep them until the other side has confirmed.
 *
 * @param fd A connected Unix socket.
 * @param data At least one byte if there are descriptors.
 * @param fds At most 253 open descriptors; a number may stand in it more than once.
 * @returns How many bytes were written: fewer than given when the buffer was nearly full. The descriptors went with the
 *   first of them, so send the rest without.
 * @throws {Error} EAGAIN (buffer full), EPIPE (the other side is closed), EBADF (one of the descriptors),
 *   ETOOMANYREFS (too many in flight: wait until the other side has taken some), ENOTCONN.
 */
export function sendMessage(fd: number, data: Uint8Array, fds: readonly number[] = []): number {
  validateFd(fd);
  validateBytes(data, 'data');
  const result = native().sendMessage(fd, data, outgoing, putDescriptors(fds, data));
  if (result < 0) throw systemError(result, 'sendmsg', { fd });
  return result;
}

/**
 * Takes what waits on a connected Unix socket, bytes and descriptors, without waiting. recvmsg(2), SCM_RIGHTS.
 *
 * A stream has no messages: bytes written before a message with descriptors may come together with it. Descriptors are
 * never taken partially: if not all of them can be had, all are closed and the error says so; their bytes are gone too.
 *
 * @param fd A connected Unix socket.
 * @param maxBytes How many bytes to take at most, 1 or more.
 * @param maxFds How many descriptors to accept at most, 0 to 253; more than that is an error.
 * @returns `null` if nothing is there yet; a message without bytes at the end of the stream.
 * @throws {HandoffError} ERR_HANDOFF_TRUNCATED: the process was at its limit of descriptors, or more came than `maxFds`.
 * @throws {Error} ECONNRESET, EBADF, ENOTSOCK, ENOTCONN.
 */
export function receiveMessage(fd: number, maxBytes: number, maxFds: number): Message | null {
  validateFd(fd);
  validateInteger(maxBytes, 'maxBytes', 1, MAXIMUM_INTEGER);
  validateInteger(maxFds, 'maxFds', 0, MAXIMUM_DESCRIPTORS);
  let room: Buffer;
  if (maxBytes <= SCRATCH_BYTES) {
    scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES);
    room = scratch;
  } else {
    room = Buffer.allocUnsafeSlow(maxBytes);
  }
  const length = native().receiveMessage(fd, room, maxBytes, incoming, maxFds);
  if (length < 0) {
    // Waiting is the ordinary case, for which no error need be made.
    if (length === -constants.errno.EAGAIN) return null;
    throw systemError(length, 'recvmsg', { fd });
  }
  const count = incoming[0] as number;
  if (count < 0) throw truncated(count, maxFds, fd);
  const data = room === scratch ? copyOf(room, length) : room.subarray(0, length);
  const fds: number[] = [];
  for (let index = 1; index <= count; index++) fds.push(incoming[index] as number);
  return { data, fds };
}

function truncated(reason: number, maxFds: number, fd: number): HandoffError {
  return new HandoffError(
    'ERR_HANDOFF_TRUNCATED',
    reason === TRUNCATED_BY_SYSTEM
      ? `the system dropped descriptors of a message on fd ${fd}, and those that came were closed: this process is at ` +
          'its limit of open descriptors (raise "ulimit -n")'
      : `more than ${maxFds} descriptors came in a message on fd ${fd}, and all of them were closed`,
  );
}

/**
 * Sends one datagram to a Unix datagram socket, from a socket without a name, without waiting. sendmsg(2), unix(7).
 *
 * This is how a service manager is told of a service's state, with descriptors for it to keep where it takes some.
 *
 * @param path The path of the receiving socket, or `@name` for a Linux abstract address.
 * @param data The datagram; at least one byte if there are descriptors.
 * @param fds At most 253 open descriptors.
 * @throws {Error} ENOENT, ECONNREFUSED (nobody receives there), EAGAIN (its queue is full), EMSGSIZE, EACCES.
 */
export function sendDatagram(path: string, data: Uint8Array, fds: readonly number[] = []): void {
  validatePath(path, 'path');
  validateBytes(data, 'data');
  const result = native().sendDatagram(path, data, outgoing, putDescriptors(fds, data));
  if (result < 0) throw systemError(result, 'sendmsg', { path });
}
