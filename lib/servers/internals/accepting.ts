/** How Node treats what a server accepts. */
import { type BlockList, type Server, Socket, type SocketConstructorOpts } from 'node:net';

/** How a server treats what it accepts, under the names that it keeps it under. */
const accepting = [
  'allowHalfOpen',
  'pauseOnConnect',
  'noDelay',
  'keepAlive',
  'keepAliveInitialDelay',
  'highWaterMark',
] as const;

/**
 * Makes `companion` accept as `server` does. Relies on the properties in which `net.Server` keeps its options; where one
 * is gone `companion` has Node's default.
 */
export function acceptLike(server: Server, companion: Server): void {
  const options = server as unknown as Record<string, unknown>;
  for (const name of accepting) {
    if (options[name] !== undefined) Object.assign(companion, { [name]: options[name] });
  }
}

/**
 * A connection as `server` itself would have accepted it; takes `fd` over, unless it throws. Relies on what `acceptLike`
 * does.
 */
export function acceptedSocket(server: Server, fd: number): Socket {
  const {
    allowHalfOpen = false,
    pauseOnConnect = false,
    noDelay = false,
    keepAlive = false,
    keepAliveInitialDelay = 0,
    highWaterMark,
  } = server as unknown as {
    readonly allowHalfOpen?: boolean;
    readonly pauseOnConnect?: boolean;
    readonly noDelay?: boolean;
    readonly keepAlive?: boolean;
    /** In seconds, as the kernel has it. */
    readonly keepAliveInitialDelay?: number;
    readonly highWaterMark?: number;
  };
  const socket = new Socket({
    fd,
    allowHalfOpen,
    pauseOnCreate: pauseOnConnect,
    highWaterMark,
  } as SocketConstructorOpts);
  if (noDelay) socket.setNoDelay(true);
  if (keepAlive) socket.setKeepAlive(true, keepAliveInitialDelay * 1000);
  return socket;
}

/**
 * Whether `server` would turn this connection away. Relies on `server._connections` and `server.blockList`; where they are
 * gone it never does.
 */
export function turnsAway(server: Server, { remoteAddress, remoteFamily }: Socket): boolean {
  const { _connections: open, blockList } = server as unknown as {
    readonly _connections?: number;
    readonly blockList?: BlockList;
  };
  if (typeof open === 'number' && server.maxConnections > 0 && open >= server.maxConnections) return true;
  if (remoteAddress === undefined) return false;
  return blockList?.check(remoteAddress, remoteFamily === 'IPv6' ? 'ipv6' : 'ipv4') ?? false;
}

/**
 * Makes a connection one of `server`'s own, in `getConnections()` and for `close()`. Relies on `server._connections` and
 * `socket._server`, which Node sets for what it accepts; where they are gone it is served all the same, uncounted.
 */
export function countAsAccepted(server: Server, socket: Socket): void {
  const counting = server as unknown as { _connections?: unknown };
  const { _server: accepted } = socket as unknown as { readonly _server?: { _connections: number } | null };
  if (typeof counting._connections !== 'number' || accepted === (server as unknown)) return;
  // One that another server has accepted for this one is counted there until now.
  if (accepted != null) accepted._connections--;
  counting._connections++;
  Object.assign(socket, { server, _server: server });
}
