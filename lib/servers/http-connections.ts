import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Server as HttpServer, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { Connections } from './connections.ts';
import { idleSockets, isReadByHttp, setKeepAlive } from './internals.ts';

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

/** The connections of an `http` or `https` server. */
export class HttpConnections extends Connections {
  readonly #server: HttpServer;
  /** The response that was begun last on each connection: with pipelining, the one that is sent last. */
  readonly #lastResponse = new WeakMap<Socket, ServerResponse>();
  #announcing: Announcing = 'keep-alive';
  /** Kept in a field, because a subscription is removed by its function. */
  readonly #onRequest: (message: unknown) => void;

  constructor(server: HttpServer) {
    super(server);
    this.#server = server;
    // The 'connection' of an https server is the bare socket; what HTTP reads is the encrypted one on top of it.
    server.prependListener('secureConnection', (socket: Socket) => this.track(socket));
    // Not the 'request' event: with `Expect: 100-continue` there is another, and listening to that changes what Node does.
    this.#onRequest = (message) => this.#begin(message as RequestStart);
    subscribe(requestStart, this.#onRequest);
  }

  override announceClose(): void {
    this.#announcing = 'close';
    for (const socket of this.sockets) {
      const response = this.#lastResponse.get(socket);
      if (response !== undefined) setKeepAlive(response, false);
    }
  }

  override keepOpen(): void {
    this.#announcing = 'keep-alive';
  }

  override closeIdle(): number {
    const idle = [...idleSockets(this.#server, this.sockets), ...this.#waitingForRequest().filter(isSilent)];
    for (const socket of idle) socket.destroy();
    return idle.length;
  }

  override closeHalfSent(): number {
    const halfSent = this.#waitingForRequest();
    for (const socket of halfSent) {
      if (isSilent(socket) || !socket.writable) socket.destroy();
      else socket.end(requestTimeout, () => socket.destroy());
    }
    return halfSent.length;
  }

  override forget(): void {
    unsubscribe(requestStart, this.#onRequest);
  }

  #begin({ server, socket, response }: RequestStart): void {
    if (server !== this.#server) return;
    if (this.#announcing === 'close') {
      // With pipelining the close belongs to the last answer alone: announced by an earlier one it would drop this.
      const earlier = this.#lastResponse.get(socket);
      if (earlier !== undefined) setKeepAlive(earlier, true);
      setKeepAlive(response, false);
    }
    this.#lastResponse.set(socket, response);
  }

  /** Connections whose next request has begun, or whose first has not, with nothing left to answer. */
  #waitingForRequest(): Socket[] {
    const idle = idleSockets(this.#server, this.sockets);
    return [...this.sockets].filter(
      (socket) => !idle.has(socket) && isReadByHttp(socket) && !this.#isAnswering(socket),
    );
  }

  #isAnswering(socket: Socket): boolean {
    const response = this.#lastResponse.get(socket);
    return response !== undefined && !response.writableFinished && !response.destroyed;
  }
}

function isSilent(socket: Socket): boolean {
  return socket.bytesRead === 0;
}
