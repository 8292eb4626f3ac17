import type { Server, Socket } from 'node:net';
import { close } from '../../fd/descriptor.ts';
import { accept } from '../../fd/socket.ts';
import { acceptedSocket, countAsAccepted, turnsAway } from '../internals/accepting.ts';

/**
 * Takes who waits in the queue of a listener, before it is closed: closing it resets them (two SO_REUSEPORT listeners, one
 * closes with a full queue: 104 of 200 connections reset). Who comes between this and close(2), or whose handshake is
 * under way by then, is reset still; so close it at once, and serve them afterwards.
 *
 * @param most how many are taken: a queue that fills as fast as it is emptied must not hold anybody up
 * @returns their descriptors, which are the caller's
 */
export function takeQueue(listener: number, most: number): number[] {
  const taken: number[] = [];
  try {
    while (taken.length < most) {
      const connection = accept(listener);
      if (connection === null) break;
      taken.push(connection);
    }
  } catch {
    // It does not listen (yet), or there is no descriptor left: nobody more can be taken.
  }
  return taken;
}

/** Gives `server` connections that were taken from a queue. */
export function serveTaken(server: Server, connections: readonly number[]): void {
  for (const fd of connections) {
    let socket: Socket;
    try {
      socket = acceptedSocket(server, fd);
    } catch {
      close(fd);
      continue;
    }
    serveConnection(server, socket);
  }
}

/** Gives `server` a connection that another has accepted for it. */
export function serveConnection(server: Server, socket: Socket): void {
  if (turnsAway(server, socket)) {
    const { localAddress, localPort, localFamily, remoteAddress, remotePort, remoteFamily } = socket;
    socket.destroy();
    server.emit('drop', { localAddress, localPort, localFamily, remoteAddress, remotePort, remoteFamily });
    return;
  }
  countAsAccepted(server, socket);
  server.emit('connection', socket);
}
