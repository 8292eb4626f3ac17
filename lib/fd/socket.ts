import { isIP } from 'node:net';
import {
  invalidValue,
  MAXIMUM_INTEGER,
  validateBoolean,
  validateFd,
  validateInteger,
  validateObject,
  validateOneOf,
  validatePath,
  validateString,
} from './arguments.ts';
import { native } from './native.ts';
import { systemError } from './system-error.ts';

/** How a TCP or UDP socket is bound. */
export interface BindOptions {
  /**
   * Keep a socket on `::` from also taking IPv4. Default `false`, whatever the system's own default is. On every other
   * address it makes no difference, and Linux then reports it as set.
   */
  ipv6Only?: boolean;
  /** SO_REUSEADDR. Default `true` for TCP (a restart need not wait for old connections), `false` for UDP. */
  reuseAddress?: boolean;
  /** SO_REUSEPORT. Default `false`. Never for a handoff: closing one of two listeners resets what is queued on it. */
  reusePort?: boolean;
}

/** How a Unix socket is bound. */
export interface BindUnixOptions {
  /**
   * Permission bits of the socket file, 0 to 0o777, the umask notwithstanding. Default: what the umask leaves of 0o777.
   * An abstract address has no file and no mode.
   */
  mode?: number;
  /** Default `'stream'`. */
  type?: 'stream' | 'datagram';
}

interface InternetArguments {
  ipv6Only: boolean;
  reuseAddress: boolean;
  reusePort: boolean;
}

function validateInternet(
  address: unknown,
  port: unknown,
  options: BindOptions,
  defaultReuseAddress: boolean,
): InternetArguments {
  validateString(address, 'address');
  // The wildcard by itself, because Node's expression for IPv6 takes milliseconds to be compiled, of every server's start.
  if (address !== '::' && isIP(address) === 0) {
    throw invalidValue('address', 'a numeric IPv4 or IPv6 address, because names are not looked up', address);
  }
  validateInteger(port, 'port', 0, 65_535);
  validateObject(options, 'options');
  const { ipv6Only = false, reuseAddress = defaultReuseAddress, reusePort = false } = options;
  validateBoolean(ipv6Only, 'options.ipv6Only');
  validateBoolean(reuseAddress, 'options.reuseAddress');
  validateBoolean(reusePort, 'options.reusePort');
  return { ipv6Only, reuseAddress, reusePort };
}

/**
 * Makes a pair of connected Unix stream sockets, non-blocking and close-on-exec. socketpair(2).
 *
 * @throws {Error} EMFILE, ENFILE.
 */
export function socketPair(): [number, number] {
  const result = native().socketPair();
  if (typeof result === 'number') throw systemError(result, 'socketpair');
  return result;
}

/**
 * Makes a TCP socket bound to an address, not yet listening; non-blocking and close-on-exec. socket(2), bind(2).
 *
 * With `reuseAddress` two sockets can be bound to one port as long as neither listens: then it is `listen` that fails
 * with EADDRINUSE.
 *
 * @param address A numeric address; `::` takes IPv4 too unless `ipv6Only`; a zone may follow (`fe80::1%eth0`).
 * @param port 0 to 65535; 0 lets the system choose: `describe` tells which.
 * @throws {Error} EADDRINUSE, EADDRNOTAVAIL, EACCES (ports below 1024), ENODEV (no such zone), EMFILE.
 */
export function bindTcp(address: string, port: number, options: BindOptions = {}): number {
  const { ipv6Only, reuseAddress, reusePort } = validateInternet(address, port, options, true);
  const result = native().bindTcp(address, port, ipv6Only, reuseAddress, reusePort);
  if (result < 0) throw systemError(result, 'bind', { address, port });
  return result;
}

/**
 * Makes a UDP socket bound to an address; non-blocking and close-on-exec. socket(2), bind(2).
 *
 * Datagrams are queued on it from now on, whether or not anybody reads.
 *
 * @param address As for `bindTcp`.
 * @param port As for `bindTcp`.
 * @throws {Error} EADDRINUSE, EADDRNOTAVAIL, EACCES (ports below 1024), ENODEV (no such zone), EMFILE.
 */
export function bindUdp(address: string, port: number, options: BindOptions = {}): number {
  const { ipv6Only, reuseAddress, reusePort } = validateInternet(address, port, options, false);
  const result = native().bindUdp(address, port, ipv6Only, reuseAddress, reusePort);
  if (result < 0) throw systemError(result, 'bind', { address, port });
  return result;
}

/**
 * Makes a Unix socket bound to a path, not yet listening; non-blocking and close-on-exec. unix(7).
 *
 * It never removes anything: a file in the way, a dead socket's too, is EADDRINUSE, and the path outlives the socket.
 * With `mode` the file is at no moment more open than asked.
 *
 * @param path A path of at most 107 bytes (103 on macOS), or `@name` for a Linux abstract address.
 * @throws {Error} EADDRINUSE, ENOENT, EACCES, ENAMETOOLONG; ENOTSUP for an abstract address on macOS.
 */
export function bindUnix(path: string, options: BindUnixOptions = {}): number {
  validatePath(path, 'path');
  validateObject(options, 'options');
  const { mode, type = 'stream' } = options;
  if (mode !== undefined) validateInteger(mode, 'options.mode', 0, 0o777);
  validateOneOf(type, 'options.type', ['stream', 'datagram']);
  const result = native().bindUnix(path, type === 'datagram', mode ?? -1);
  if (result < 0) throw systemError(result, 'bind', { path });
  return result;
}

/**
 * Connects to a listening Unix stream socket, without waiting; non-blocking and close-on-exec. unix(7), connect(2).
 *
 * A full queue is EAGAIN and no wait: try again later, with a new call.
 *
 * @param path As for `bindUnix`.
 * @throws {Error} ENOENT (no such path), ECONNREFUSED (nobody listens), EAGAIN (queue full), EACCES, ENAMETOOLONG.
 */
export function connectUnix(path: string): number {
  validatePath(path, 'path');
  const result = native().connectUnix(path);
  if (result < 0) throw systemError(result, 'connect', { path });
  return result;
}

/**
 * Makes a bound stream socket listen, or changes the backlog of one that does. listen(2).
 *
 * On a Unix socket it also makes this process the one whose identity connecting peers see (`peerCredentials`). The
 * system silently lowers the backlog to its maximum (`net.core.somaxconn`).
 *
 * @param backlog How many connections may wait to be accepted, 0 or more.
 * @throws {Error} EADDRINUSE (another socket on that port listens), EBADF, ENOTSOCK, ENOTSUP (not a
 *   stream socket).
 */
export function listen(fd: number, backlog = 511): void {
  validateFd(fd);
  validateInteger(backlog, 'backlog', 0, MAXIMUM_INTEGER);
  const result = native().listen(fd, backlog);
  if (result < 0) throw systemError(result, 'listen', { fd });
}

/**
 * Takes a waiting connection, non-blocking and close-on-exec. accept(2).
 *
 * On a listener that some process made blocking it asks first whether anybody waits; should another process take that
 * connection in between, it still waits for the next one. Keep shared listeners non-blocking.
 *
 * @returns The connection, or `null`: nobody is waiting.
 * @throws {Error} EBADF, ENOTSOCK, EINVAL (not listening), EMFILE.
 */
export function accept(fd: number): number | null {
  validateFd(fd);
  const result = native().accept(fd);
  if (result >= 0) return result;
  const error = systemError(result, 'accept', { fd });
  if (error.code === 'EAGAIN') return null;
  throw error;
}
