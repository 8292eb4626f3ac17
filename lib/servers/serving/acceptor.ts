import { Server, type Socket } from 'node:net';
import { serveConnection } from '../binding/accept-queue.ts';
import type { ServerPlace } from '../binding/listener.ts';
import { attachTo } from '../binding/place.ts';
import { acceptLike } from '../internals/accepting.ts';

/** Accepts in one place for a server, which may have several: then the others are accepted on by servers of their own. */
export class Acceptor {
  readonly place: ServerPlace;
  readonly #server: Server;
  #accepting = false;

  private constructor(place: ServerPlace, server: Server) {
    this.place = place;
    this.#server = server;
  }

  /** `server` itself accepts. */
  static of(server: Server, place: ServerPlace): Acceptor {
    return new Acceptor(place, server);
  }

  /** A server of ours accepts, and gives what comes to `server`: a server of Node's has one listener. */
  static beside(server: Server, place: ServerPlace): Acceptor {
    const companion = new Server();
    acceptLike(server, companion);
    companion.on('connection', (socket: Socket) => serveConnection(server, socket));
    const acceptor = new Acceptor(place, companion);
    // What goes wrong with accepting is the server's own affair; what goes wrong with `start()` is its caller's.
    companion.on('error', (error) => {
      if (acceptor.#accepting) server.emit('error', error);
    });
    return acceptor;
  }

  get accepting(): boolean {
    return this.#accepting;
  }

  /** Accepts from now on. Rejects with Node's error when the server cannot use the listener. */
  async start(): Promise<void> {
    await attachTo(this.place, this.#server);
    this.#accepting = true;
  }

  /** Accepts no more. The listener itself stays, and so do the connections. */
  stop(): void {
    if (!this.#accepting) return;
    this.#accepting = false;
    // Not http.Server's own close(): it destroys idle connections at once and stops the check for half-sent requests.
    Server.prototype.close.call(this.#server);
  }
}
