import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { countAsAccepted } from '../internals/accepting.ts';
import { keepAliveLimit, markIdle, onNextRequest, readAsHttp } from '../internals/http.ts';
import type { FrontListener } from './front-listener.ts';
import type { RequestCounts } from './request-counts.ts';

/** Makes connections that came from the predecessor the server's own, in the state in which they left that. */
export class HttpArrivals {
  readonly #server: Server;
  readonly #front: FrontListener;
  readonly #counts: RequestCounts;

  constructor(server: Server, front: FrontListener, counts: RequestCounts) {
    this.#server = server;
    this.#front = front;
    this.#counts = counts;
  }

  /** Has the server serve a connection, as what it was: idle after a request, or one that owes its first. */
  serve(socket: Socket): void {
    countAsAccepted(this.#server, socket);
    this.#introduce(socket);
    if (!socket.destroyed && this.#counts.areAllBefore(socket)) this.#stayIdle(socket);
  }

  #introduce(socket: Socket): void {
    // What such a listener waits for was said to another process.
    if (this.#front.present) {
      readAsHttp(this.#server, socket);
      return;
    }
    try {
      this.#server.emit('connection', socket);
    } catch (error) {
      // As fatal as where Node accepts, but not in the middle of a batch, whose other connections have to be answered for.
      process.nextTick(() => {
        throw error;
      });
    }
  }

  /** As Node leaves a connection after an answer. */
  #stayIdle(socket: Socket): void {
    if (!markIdle(socket)) return;
    const limit = keepAliveLimit(this.#server);
    if (limit === 0) return;
    socket.setTimeout(limit);
    onNextRequest(socket, () => socket.setTimeout(this.#server.timeout || 0));
  }
}
