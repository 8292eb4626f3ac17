/** What `node:dgram` keeps of a socket. */
import type { Socket as DatagramSocket } from 'node:dgram';
import { HandoffError } from '../../fd/handoff-error.ts';
import { systemError } from '../../fd/system-error.ts';

/** What `node:dgram` keeps of a socket, under a symbol of its own (`kStateSymbol` of lib/internal/dgram.js). */
interface DatagramInternals {
  readonly handle: DatagramHandle | null;
  receiving: boolean;
  connectState: number;
  readonly reuseAddr?: boolean;
  readonly reusePort?: boolean;
  readonly ipv6Only?: boolean;
}

interface DatagramHandle {
  readonly recvStart?: () => number;
  readonly recvStop?: () => number;
  readonly open?: (fd: number) => number;
  readonly close: () => void;
}

/** `CONNECT_STATE_CONNECTED` of lib/dgram.js. */
const connectStateConnected = 2;

function datagramInternals(socket: DatagramSocket): DatagramInternals | null {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol');
  const internals = symbol && (socket as unknown as { [symbol]: Partial<DatagramInternals> })[symbol];
  return typeof internals === 'object' && 'handle' in internals ? (internals as DatagramInternals) : null;
}

/**
 * Takes no more datagrams out of the kernel: they wait in the socket's buffer, and it can still send. Returns whether it
 * could. Relies on `handle.recvStop()` (`uv_udp_recv_stop`); where that is gone a socket receives until it is closed.
 */
export function stopReceiving(socket: DatagramSocket): boolean {
  const internals = datagramInternals(socket);
  if (typeof internals?.handle?.recvStop !== 'function') return false;
  internals.handle.recvStop();
  internals.receiving = false;
  return true;
}

/** Receives again after `stopReceiving`. */
export function resumeReceiving(socket: DatagramSocket): void {
  const internals = datagramInternals(socket);
  if (typeof internals?.handle?.recvStart !== 'function') return;
  internals.handle.recvStart();
  internals.receiving = true;
}

/** The type with which a socket was made. Relies on `socket.type`; where that is gone every socket is of type udp4. */
export function datagramType(socket: DatagramSocket): 'udp4' | 'udp6' {
  return (socket as unknown as { type?: unknown }).type === 'udp6' ? 'udp6' : 'udp4';
}

/**
 * What `dgram.createSocket()` was told of binding, which Node itself would read when it binds. Relies on `reuseAddr`,
 * `reusePort` and `ipv6Only`; where they are gone a new socket is bound without.
 */
export function bindOptionsOf(socket: DatagramSocket): {
  reuseAddress: boolean;
  reusePort: boolean;
  ipv6Only: boolean;
} {
  const { reuseAddr, reusePort, ipv6Only } = datagramInternals(socket) ?? {};
  return {
    reuseAddress: reuseAddr === true,
    // As libuv does (uv__set_reuse): on macOS it is SO_REUSEPORT that lets several take a group's datagrams.
    reusePort: reusePort === true || (reuseAddr === true && process.platform !== 'linux'),
    ipv6Only: ipv6Only === true,
  };
}

/**
 * Tells Node that the descriptor that it is about to get is connected: `send()` without an address and `remoteAddress()`
 * work then. Relies on `connectState`; where that is gone they throw, and a `connect()` fails with EISCONN.
 */
export function setConnected(socket: DatagramSocket): void {
  const internals = datagramInternals(socket);
  if (typeof internals?.connectState === 'number') internals.connectState = connectStateConnected;
}

/**
 * Binds to a Unix datagram socket, which `bind({ fd })` refuses by its family (`guessHandleType`) although all below it
 * receives from one: `uv_udp_open` asks for no family, and `AddressToJS` makes an empty address of the sender's. Relies on
 * the constructor of the handle, `handle.open()`, and on `bind(handle)`, by which node:cluster gives a socket its handle.
 *
 * @param fd is Node's from then on, unless this throws ERR_HANDOFF_UNSUPPORTED_PLATFORM or a system error
 */
export function bindToUnixSocket(socket: DatagramSocket, fd: number): void {
  const handle = datagramInternals(socket)?.handle;
  if (handle == null || typeof handle.open !== 'function' || typeof handle.recvStart !== 'function') {
    throw new HandoffError(
      'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
      `This runtime (${process.version}) cannot receive from a Unix datagram socket, or the socket is closed.`,
    );
  }
  const Handle = handle.constructor as new () => Required<DatagramHandle>;
  const other = new Handle();
  const result = other.open(fd);
  if (result < 0) {
    other.close();
    throw systemError(result, 'open', { fd });
  }
  socket.bind(other as never);
}
