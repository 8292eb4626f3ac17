/** How Node has a server listen. */
import cluster from 'node:cluster';
import { Server, Socket } from 'node:net';
import { describe } from '../../fd/describe.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import type { SocketInternals } from './sockets.ts';

/**
 * Makes `server.address()` answer with the path of an adopted Unix listener. Relies on `server._pipeName`, which Node
 * sets where it binds by itself; where that is gone `address()` is null, as it is for every adopted Unix listener.
 */
export function setUnixAddress(server: Server, path: string): void {
  (server as unknown as { _pipeName?: string })._pipeName = path;
}

/**
 * Makes `server` accept on the listener `fd`, which is the server's from now on: it emits 'listening' or 'error'. The
 * backlog goes by position: `options.backlog` is ignored with a descriptor, and 511 set for all who share it.
 *
 * In a `node:cluster` worker `listen({ fd })` sends the number to the primary, which serves whatever it has under that
 * number. What stays in the worker is `listen(handle)`, for a TCP handle; for a Unix one there is only what that calls,
 * `server._listen2()`. Relies on it and on `socket._handle`; where they are gone this throws.
 */
export function listenOn(server: Server, fd: number, backlog: number): void {
  if (cluster.isPrimary) {
    server.listen({ fd }, backlog);
    return;
  }
  const socket = new Socket({ fd, readable: false, writable: false });
  if (isTcp(fd)) {
    server.listen(socket, backlog);
    return;
  }
  const internals = server as unknown as {
    _handle?: unknown;
    _listen2?: (address: null, port: number, family: number, backlog: number) => void;
  };
  const handle = (socket as unknown as SocketInternals)._handle;
  if (handle == null || typeof internals._listen2 !== 'function') {
    throw new HandoffError(
      'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
      `A node:cluster worker of this runtime (${process.version}) cannot listen on a Unix socket that it inherited: listen on a TCP port, or start several processes with { share: true }.`,
    );
  }
  internals._handle = handle;
  internals._listen2(null, -1, -1, backlog);
}

function isTcp(fd: number): boolean {
  const description = describe(fd);
  return description.kind === 'socket' && description.family !== 'unix';
}

/**
 * The servers of this process that listen, whoever has made them. Relies on `process._getActiveHandles()`, which leaves out
 * those that are unreferenced; where that is gone none is found, and what a server does by itself is not told.
 */
export function listeningServers(): Server[] {
  const { _getActiveHandles } = process as unknown as { _getActiveHandles?: () => unknown[] };
  return (_getActiveHandles?.call(process) ?? [])
    .filter((handle) => handle instanceof Server)
    .filter(({ listening }) => listening);
}
