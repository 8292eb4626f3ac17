import type { Server as HttpServer, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { TLSSocket, Server as TlsServer } from 'node:tls';
import type { Json } from '../channel/frame.ts';
import type { ConnectionMemory } from './connection-memory.ts';
import { Connections, type DrainReason, shareOf, type Work, withoutQuery } from './connections.ts';
import { FrontListener } from './front-listener.ts';
import { HttpArrivals } from './http-arrivals.ts';
import { HttpDepartures, type Survey } from './http-departures.ts';
import { bareSocketOf, idleSockets, isReadByHttp, setKeepAlive } from './internals.ts';
import { Luggage } from './luggage.ts';
import type { Mover } from './mover.ts';
import { RequestCounts } from './request-counts.ts';
import { onRequestStart, type RequestStart } from './request-start.ts';
import { Upgrades } from './upgrades.ts';
import { closeCodes } from './websocket-farewell.ts';

/** What a half-sent request is answered with: Node's own words for a request that took too long. */
const requestTimeout = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n';

/**
 * How many connections are looked at in one turn of the event loop: 1 µs each, or 2 where the machine is slow, so that
 * requests wait no longer for it than for the batch of 64 that is sent in another.
 */
const surveySlice = 1024;

/** What becomes of connections when their answer is complete. */
type Leaving =
  | { readonly how: 'not-at-all' }
  /** The answer says that it is the last. */
  | { readonly how: 'announced' }
  /** They go to the successor. */
  | { readonly how: 'moved'; readonly departures: HttpDepartures };

/** Whether an unencrypted socket of this server is one whose handshake is not done. */
type Handshakes = 'none' | 'told' | 'unknown';

type Answering = Socket & { [symbol: symbol]: ServerResponse | undefined };

/**
 * Where a connection keeps when its last request began, for those who ask what a drain waits for. A property, as the
 * response itself: 20 ns a request.
 */
const requestBegan = Symbol('when the last request began');

type Timed = Socket & { [requestBegan]?: number };

/** The connections of an `http` or `https` server. */
export class HttpConnections extends Connections {
  readonly #server: HttpServer;
  readonly #slice: number;
  /**
   * Where a connection keeps the response that was begun last on it: with pipelining, the one that is sent last. On the
   * socket itself: a `WeakMap` took 3 % of all that a small request takes.
   */
  readonly #lastResponse = Symbol('the last response');
  /** Responses that say `Connection: close` because of us; another may say it because its client did. */
  readonly #closedByUs = new WeakSet<ServerResponse>();
  #leaving: Leaving = { how: 'not-at-all' };
  #memory: ConnectionMemory | null = null;
  readonly #front: FrontListener;
  readonly #counts: RequestCounts;
  #luggage: Luggage;
  readonly #arrivals: HttpArrivals;
  readonly #upgrades: Upgrades;
  #handshakes: Handshakes;
  readonly #stopListening: () => void;

  /** @param slice how many connections are looked at in one turn of the event loop */
  constructor(server: HttpServer, slice = surveySlice) {
    super(server);
    this.#server = server;
    this.#slice = slice;
    this.#front = new FrontListener(server);
    this.#counts = new RequestCounts(server);
    this.#luggage = new Luggage(this.#counts, null);
    this.#arrivals = new HttpArrivals(server, this.#front, this.#counts);
    this.#upgrades = new Upgrades(server);
    this.#handshakes = (server as Server) instanceof TlsServer ? 'told' : 'none';
    // The 'connection' of an https server is the bare socket; what HTTP reads is the encrypted one on top of it. The
    // two are one connection, so the one takes the place of the other.
    server.prependListener('secureConnection', (socket: Socket) => {
      const bare = bareSocketOf(socket);
      if (bare === null) this.#handshakes = 'unknown';
      this.track(socket, bare);
    });
    this.#stopListening = onRequestStart(server, (start) => this.#begin(start));
  }

  override belongTo(listener: string, memory: ConnectionMemory | null): void {
    this.#front.name = listener;
    this.#memory = memory;
    this.#luggage = new Luggage(this.#counts, memory);
  }

  override announceClose(): void {
    if (this.#leaving.how === 'moved') this.#leaving.departures.stop();
    this.#leaving = { how: 'announced' };
    for (const socket of this.sockets) this.#announceOn(socket);
  }

  override move(mover: Mover, route: string): void {
    // A TLS session has state that no descriptor carries.
    if (!this.adopts || !this.#knowsAllOf() || (this.#memory !== null && mover.takes !== 'remembered')) {
      this.announceClose();
      return;
    }
    this.#memory?.renew();
    const departures = new HttpDepartures(
      mover,
      route,
      (leaves) => this.#survey(this.#slice, leaves),
      (socket) => this.#luggage.pack(socket),
      () => {
        this.moved++;
      },
    );
    this.#leaving = { how: 'moved', departures };
    mover.add(departures);
  }

  override keepOpen(): void {
    if (this.#leaving.how === 'moved') this.#leaving.departures.stop();
    this.#leaving = { how: 'not-at-all' };
    for (const socket of this.sockets) {
      const response = this.#lastResponseOn(socket);
      if (response !== undefined) this.#keep(response);
    }
  }

  override get adopts(): boolean {
    return this.#handshakes === 'none';
  }

  override adopt(socket: Socket, data: Json): boolean {
    if (!this.#knowsAllOf() || !this.#luggage.unpack(socket, data)) return false;
    this.track(socket);
    this.#arrivals.serve(socket);
    // One that comes while this process hands over itself goes on at once.
    if (this.#leaving.how === 'moved') this.#leaving.departures.look();
    return true;
  }

  override closeIdle(share = 1): void {
    const surveys = [...this.#survey(Number.POSITIVE_INFINITY, () => true)];
    const between = surveys.flatMap((survey) => [...survey.between.keys()]);
    for (const socket of shareOf(between, share)) socket.destroy();
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

  override tell(reason: DrainReason, share: number): void {
    this.#upgrades.tell(closeCodes[reason], share);
  }

  override get works(): Work[] {
    const idle = idleSockets(this.#server, this.sockets);
    return [...this.sockets].map((socket) => {
      const isIdle = idle.has(socket) && !isUnfinished(this.#lastResponseOn(socket));
      return isIdle ? { kind: 'idle connection' } : this.workOn(socket);
    });
  }

  override workOn(socket: Socket): Work {
    const response = this.#lastResponseOn(socket);
    if (response !== undefined && isUnfinished(response)) {
      return { kind: 'answer', path: withoutQuery(response.req.url ?? ''), ...sinceOf(socket) };
    }
    const upgraded = this.#upgrades.kindOf(socket);
    if (upgraded !== null) return { kind: upgraded };
    if (!this.#awaitsRequest(socket)) return { kind: 'other' };
    return { kind: isSilent(socket) ? 'silent connection' : 'unfinished request' };
  }

  override forget(): void {
    this.#stopListening();
    this.#upgrades.forget();
    if (this.#leaving.how === 'moved') this.#leaving.departures.stop();
  }

  #begin({ socket, response }: RequestStart): void {
    this.#counts.begin(socket, response);
    if (this.#leaving.how === 'moved' && !this.#leaving.departures.keeps(socket)) {
      this.#leaving.departures.lookAfter(response);
    } else if (this.#leaving.how !== 'not-at-all') {
      // With pipelining the close belongs to the last answer alone: announced by an earlier one it would drop this.
      const earlier = this.#lastResponseOn(socket);
      if (earlier !== undefined) this.#keep(earlier);
      this.#close(response);
    }
    (socket as Answering)[this.#lastResponse] = response;
    (socket as Timed)[requestBegan] = performance.now();
  }

  #lastResponseOn(socket: Socket): ServerResponse | undefined {
    return (socket as Answering)[this.#lastResponse];
  }

  /** Whether nothing is known of the connections but what Node and the application's hooks know; says so where it is not. */
  #knowsAllOf(): boolean {
    if (this.#memory !== null || !this.#front.present) return true;
    this.#front.warn();
    return false;
  }

  #announceOn(socket: Socket): void {
    const response = this.#lastResponseOn(socket);
    if (response !== undefined) this.#close(response);
  }

  /**
   * Looks at every connection, at `slice` of them at a time. First at those of which Node does not say whether they are
   * idle: an answer that is not over when it is looked at tells of its end, and one that is over then is among the idle
   * ones later.
   *
   * @param leaves whether a connection is of interest; those of a slice are not any more when the next one is asked for
   */
  *#survey(slice: number, leaves: (socket: Socket) => boolean): Generator<Survey> {
    let survey = emptySurvey();
    let looked = 0;
    // What comes meanwhile is looked at, too, and what goes is not.
    for (const socket of this.sockets) {
      const response = this.#lastResponseOn(socket);
      if (response !== undefined && !isOver(response)) survey.busy.push(response);
      else if (this.#awaitsFirstRequest(socket) && leaves(socket)) survey.between.set(socket, socket.bytesRead);
      looked++;
      if (looked % slice > 0) continue;
      yield survey;
      survey = emptySurvey();
    }
    const isFree = (socket: Socket) =>
      // Node holds a connection to be idle as soon as its answer has been given to it, be it written or not.
      socket.writableLength === 0 && !isUnfinished(this.#lastResponseOn(socket)) && leaves(socket);
    for (let found = slice; found >= slice; ) {
      const idle = idleSockets(this.#server, this.sockets, slice, isFree);
      found = idle.size;
      for (const [socket, bytesRead] of idle) survey.between.set(socket, bytesRead);
      // With the last of the others: a few connections are looked at, and leave, in one turn.
      yield survey;
      survey = emptySurvey();
    }
  }

  /** Whether it has not had a request in this process, and none has begun. */
  #awaitsFirstRequest(socket: Socket): boolean {
    return isSilent(socket) && this.#awaitsRequest(socket);
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
        !idle.has(socket) &&
        !this.#counts.areAllBefore(socket) &&
        this.#awaitsRequest(socket) &&
        !isUnfinished(this.#lastResponseOn(socket)),
    );
  }

  #awaitsRequest(socket: Socket): boolean {
    return isReadByHttp(socket) || this.#isShakingHands(socket);
  }

  /** Whether it is a connection to an https server on which no encrypted one stands yet. */
  #isShakingHands(socket: Socket): boolean {
    return this.#handshakes === 'told' && !(socket instanceof TLSSocket);
  }
}

function emptySurvey(): Survey {
  return { between: new Map(), busy: [] };
}

function sinceOf(socket: Socket): { since?: number } {
  const since = (socket as Timed)[requestBegan];
  return since === undefined ? {} : { since };
}

/** Whether the request has come whole and its answer has gone. */
function isOver(response: ServerResponse): boolean {
  return !isUnfinished(response) && response.req.complete;
}

function isUnfinished(response: ServerResponse | undefined): boolean {
  return response !== undefined && !response.writableFinished && !response.destroyed;
}

/** Whether the client has never sent anything: of an encrypted connection, anything inside of it. */
function isSilent(socket: Socket): boolean {
  return socket.bytesRead === 0;
}
