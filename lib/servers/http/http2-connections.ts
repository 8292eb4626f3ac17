import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Connections, shareOf, type Work, withoutQuery } from '../draining/connections.ts';
import { LastAnswers } from './last-answers.ts';

/** NO_ERROR of RFC 9113, section 7. Node's own constant would load all of node:http2, for servers that have none. */
const noError = 0;

/** The highest stream there can be: a GOAWAY with it refuses nothing. RFC 9113, section 6.8. */
const highestStream = 2 ** 31 - 1;

/**
 * How long the answer to a PING is awaited between the two GOAWAYs, in milliseconds: a slow round trip. A client that does
 * not answer is told the final one all the same.
 */
const roundTripLimit = 1_000;

/**
 * The connections of an `http2` server. A session is told by GOAWAY that it gets no new streams, and ends when its last
 * stream does; Node 20 and 22 do not send that by themselves when the server closes.
 */
export class Http2Connections extends Connections {
  readonly #server: Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #streams = new Map<ServerHttp2Stream, Work>();
  /** Connections of HTTP/1 clients, which a secure server may have as well (`allowHTTP1`). */
  readonly #http1 = new Set<Socket>();
  #leaving: { readonly answers: LastAnswers } | null = null;

  constructor(server: Server) {
    super(server);
    this.#server = server;
    server.prependListener('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
      session.on('stream', (stream, headers) => this.#follow(stream, headers));
      if (this.#leaving !== null) sayGoAway(session);
    });
    server.prependListener('secureConnection', (socket: TLSSocket) => {
      if (socket.alpnProtocol === 'h2') return;
      this.#http1.add(socket);
      socket.once('close', () => this.#http1.delete(socket));
    });
  }

  override announceClose(): void {
    if (this.#leaving !== null) return;
    const answers = new LastAnswers(this.#server, { isTold: () => true });
    this.#leaving = { answers };
    for (const session of this.#sessions) sayGoAway(session);
    for (const socket of this.#http1) answers.tell(socket);
  }

  override keepOpen(): void {
    this.#leaving?.answers.stop(this.#http1);
    this.#leaving = null;
  }

  override get works(): Work[] {
    return [...super.works, ...this.#streams.values()];
  }

  override workOn(_socket: Socket): Work {
    return { kind: 'HTTP/2 connection' };
  }

  override forget(): void {
    this.keepOpen();
  }

  #follow(
    stream: ServerHttp2Stream,
    { ':path': path = '' }: IncomingHttpHeaders & { ':path'?: string | undefined },
  ): void {
    this.#streams.set(stream, { kind: 'answer', path: withoutQuery(path), since: performance.now() });
    stream.once('close', () => this.#streams.delete(stream));
  }

  /** Those that have never sent a byte: over TLS there is no session that could be told. */
  override closeIdle(share = 1): void {
    const silent = [...this.sockets].filter((socket) => socket.bytesRead === 0);
    for (const socket of shareOf(silent, share)) socket.destroy();
  }
}

/**
 * The graceful double of RFC 9113: first a GOAWAY that only asks for no more streams, then, when a round trip has shown
 * that it was read, the one that names the last stream. A single one would refuse the streams that were under way to us.
 */
function sayGoAway(session: ServerHttp2Session): void {
  if (session.destroyed || session.closed) return;
  const close = () => {
    clearTimeout(limit);
    if (!session.destroyed && !session.closed) session.close();
  };
  const limit = setTimeout(close, roundTripLimit);
  session.once('close', () => clearTimeout(limit));
  session.goaway(noError, highestStream);
  if (!session.ping(close)) close();
}
