import type { ServerHttp2Session } from 'node:http2';
import type { Server } from 'node:net';
import { Connections } from './connections.ts';

/**
 * The connections of an `http2` server. A session is told by GOAWAY that it gets no new streams, and ends when its last
 * stream does; Node 20 and 22 do not send that by themselves when the server closes.
 */
export class Http2Connections extends Connections {
  readonly #sessions = new Set<ServerHttp2Session>();
  #leaving = false;

  constructor(server: Server) {
    super(server);
    server.prependListener('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
      if (this.#leaving) session.close();
    });
  }

  override announceClose(): void {
    this.#leaving = true;
    for (const session of this.#sessions) session.close();
  }

  override keepOpen(): void {
    this.#leaving = false;
  }

  /** Those that have never sent a byte: over TLS there is no session that could be told. */
  override closeIdle(): void {
    for (const socket of this.sockets) if (socket.bytesRead === 0) socket.destroy();
  }
}
