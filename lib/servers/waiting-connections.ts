import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { keepAliveLimit } from './internals.ts';

/**
 * Connections that came from the predecessor and have not sent a byte here. The server gets each of them with the first
 * byte of its next request, as if it had connected then: to an HTTP server a connection without a request is one that
 * owes it a head, and is answered 408 after a minute, where an idle one may wait as long as its keep-alive timeout.
 */
export class WaitingConnections {
  readonly #server: HttpServer;
  readonly #wake: (socket: Socket) => void;
  readonly #stop = new Map<Socket, () => void>();

  /** @param wake is given a connection when its next request begins */
  constructor(server: HttpServer, wake: (socket: Socket) => void) {
    this.#server = server;
    this.#wake = wake;
  }

  has(socket: Socket): boolean {
    return this.#stop.has(socket);
  }

  add(socket: Socket): void {
    const hangUp = () => socket.destroy();
    const readable = () => {
      if (socket.readableLength === 0) {
        // The end of the stream is readable too: reading is what makes it known.
        socket.read();
        return;
      }
      stop();
      this.#wake(socket);
    };
    const stop = () => {
      this.#stop.delete(socket);
      socket
        .off('readable', readable)
        .off('end', hangUp)
        .off('timeout', hangUp)
        .off('error', hangUp)
        .off('close', stop);
      socket.setTimeout(0);
    };
    this.#stop.set(socket, stop);
    socket.on('readable', readable).on('end', hangUp).on('timeout', hangUp).on('error', hangUp).on('close', stop);
    socket.setTimeout(keepAliveLimit(this.#server));
  }

  /** Forgets a connection without touching it. */
  remove(socket: Socket): void {
    this.#stop.get(socket)?.();
  }
}
