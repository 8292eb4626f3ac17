import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Server as HttpServer, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { TLSSocket, Server as TlsServer } from 'node:tls';
import { Connections } from './connections.ts';
import { bareSocketOf, idleSockets, isReadByHttp, setKeepAlive } from './internals.ts';

/** Published by Node for every request of every server, before its `'request'`, `'checkContinue'` … is emitted. */
const requestStart = 'http.server.request.start';

interface RequestStart {
  readonly server: Server;
  readonly socket: Socket;
  readonly response: ServerResponse;
}

/** What a half-sent request is answered with: Node's own words for a request that took too long. */
const requestTimeout = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n';

type Announcing = 'keep-alive' | 'close';

/** Whether an unencrypted socket of this server is one whose handshake is not done. */
type Handshakes = 'none' | 'told' | 'unknown';

/** The connections of an `http` or `https` server. */
export class HttpConnections extends Connections {
  readonly #server: HttpServer;
  /** The response that was begun last on each connection: with pipelining, the one that is sent last. */
  readonly #lastResponse = new WeakMap<Socket, ServerResponse>();
  /** Responses that say `Connection: close` because of us; another may say it because its client did. */
  readonly #closedByUs = new WeakSet<ServerResponse>();
  #announcing: Announcing = 'keep-alive';
  #handshakes: Handshakes;
  /** Kept in a field, because a subscription is removed by its function. */
  readonly #onRequest: (message: unknown) => void;

  constructor(server: HttpServer) {
    super(server);
    this.#server = server;
    this.#handshakes = (server as Server) instanceof TlsServer ? 'told' : 'none';
    // The 'connection' of an https server is the bare socket; what HTTP reads is the encrypted one on top of it. The
    // two are one connection, so the one takes the place of the other.
    server.prependListener('secureConnection', (socket: Socket) => {
      const bare = bareSocketOf(socket);
      if (bare === null) this.#handshakes = 'unknown';
      this.track(socket, bare);
    });
    // Not the 'request' event: with `Expect: 100-continue` there is another, and listening to that changes what Node does.
    this.#onRequest = (message) => this.#begin(message as RequestStart);
    subscribe(requestStart, this.#onRequest);
  }

  override announceClose(): void {
    this.#announcing = 'close';
    for (const socket of this.sockets) {
      const response = this.#lastResponse.get(socket);
      if (response !== undefined) this.#close(response);
    }
  }

  override keepOpen(): void {
    this.#announcing = 'keep-alive';
    for (const socket of this.sockets) {
      const response = this.#lastResponse.get(socket);
      if (response !== undefined) this.#keep(response);
    }
  }

  override closeIdle(): void {
    const idle = [...idleSockets(this.#server, this.sockets), ...this.#waitingForRequest().filter(isSilent)];
    for (const socket of idle) socket.destroy();
  }

  override closeHalfSent(): Socket[] {
    const halfSent: Socket[] = [];
    for (const socket of this.#waitingForRequest()) {
      // One that has said nothing at all has nothing unfinished.
      if (!isSilent(socket)) halfSent.push(socket);
      if (isSilent(socket) || !socket.writable || this.#isShakingHands(socket)) socket.destroy();
      else socket.end(requestTimeout, () => socket.destroy());
    }
    return halfSent;
  }

  override forget(): void {
    unsubscribe(requestStart, this.#onRequest);
  }

  #begin({ server, socket, response }: RequestStart): void {
    if (server !== this.#server) return;
    if (this.#announcing === 'close') {
      // With pipelining the close belongs to the last answer alone: announced by an earlier one it would drop this.
      const earlier = this.#lastResponse.get(socket);
      if (earlier !== undefined) this.#keep(earlier);
      this.#close(response);
    }
    this.#lastResponse.set(socket, response);
  }

  #close(response: ServerResponse): void {
    if (!response.shouldKeepAlive) return;
    this.#closedByUs.add(response);
    setKeepAlive(response, false);
  }

  #keep(response: ServerResponse): void {
    if (this.#closedByUs.delete(response)) setKeepAlive(response, true);
  }

  /** Connections whose next request has begun, or whose first has not, with nothing left to answer. */
  #waitingForRequest(): Socket[] {
    const idle = idleSockets(this.#server, this.sockets);
    return [...this.sockets].filter(
      (socket) =>
        !idle.has(socket) && (isReadByHttp(socket) || this.#isShakingHands(socket)) && !this.#isAnswering(socket),
    );
  }

  /** Whether it is a connection to an https server on which no encrypted one stands yet. */
  #isShakingHands(socket: Socket): boolean {
    return this.#handshakes === 'told' && !(socket instanceof TLSSocket);
  }

  #isAnswering(socket: Socket): boolean {
    const response = this.#lastResponse.get(socket);
    return response !== undefined && !response.writableFinished && !response.destroyed;
  }
}

/** Whether the client has never sent anything: of an encrypted connection, anything inside of it. */
function isSilent(socket: Socket): boolean {
  return socket.bytesRead === 0;
}
