import type { Server as HttpServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import { TLSSocket, Server as TlsServer } from 'node:tls';
import type { Json } from '../../channel/frame.ts';
import { Connections, type DrainReason, shareOf, type Work, withoutQuery } from '../draining/connections.ts';
import { answerUnderWay, httpActivity } from '../internals/http.ts';
import { bareSocketOf } from '../internals/tls.ts';
import type { ConnectionMemory } from '../moving/connection-memory.ts';
import type { Mover } from '../moving/mover.ts';
import { FrontListener } from './front-listener.ts';
import { HttpArrivals } from './http-arrivals.ts';
import { HttpDepartures } from './http-departures.ts';
import { LastAnswers } from './last-answers.ts';
import { Luggage } from './luggage.ts';
import { RequestCounts } from './request-counts.ts';
import { Upgrades } from './upgrades.ts';
import { closeCodes } from './websocket-farewell.ts';

/** What a half-sent request is answered with: Node's own words for a request that took too long. */
const requestTimeout = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n';

/** What becomes of connections when their answer is complete. */
type Leaving =
  | { readonly how: 'not-at-all' }
  /** The answer says that it is the last. */
  | { readonly how: 'announced'; readonly answers: LastAnswers }
  /** They go to the successor; the answer says so of those that it did not take, or of all. */
  | {
      readonly how: 'moved';
      readonly departures: HttpDepartures;
      readonly answers: LastAnswers;
      readonly told: 'kept' | 'all';
    };

/** Whether an unencrypted socket of this server is one whose handshake is not done. */
type Handshakes = 'none' | 'told' | 'unknown';

/**
 * The connections of an `http` or `https` server. As long as none is to leave it knows of sockets alone, and of no request:
 * a finished response that somebody holds holds its request, and with that a body (100 idle connections kept 210 MB).
 */
export class HttpConnections extends Connections {
  readonly #server: HttpServer;
  readonly #slice: number | undefined;
  #leaving: Leaving = { how: 'not-at-all' };
  #memory: ConnectionMemory | null = null;
  readonly #front: FrontListener;
  readonly #counts: RequestCounts;
  #luggage: Luggage;
  readonly #arrivals: HttpArrivals;
  readonly #upgrades: Upgrades;
  #handshakes: Handshakes;

  /** @param slice how many connections are looked at in one turn of the event loop, where they move */
  constructor(server: HttpServer, slice?: number) {
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
  }

  override belongTo(listener: string, memory: ConnectionMemory | null): void {
    this.#front.name = listener;
    this.#memory = memory;
    this.#luggage = new Luggage(this.#counts, memory);
    this.#counts.count();
  }

  override announceClose(): void {
    if (this.#leaving.how === 'announced') return;
    this.keepOpen();
    const answers = new LastAnswers(this.#server, { isTold: () => true });
    this.#leaving = { how: 'announced', answers };
    for (const socket of this.sockets) answers.tell(socket);
  }

  override move(mover: Mover, route: string): void {
    // A TLS session has state that no descriptor carries.
    if (!this.adopts || !this.#knowsAllOf() || (this.#memory !== null && mover.takes !== 'remembered')) {
      this.announceClose();
      return;
    }
    this.keepOpen();
    this.#memory?.renew();
    const departures = new HttpDepartures(
      mover,
      route,
      {
        sockets: this.sockets,
        canLeave: (socket) => this.#canLeave(socket),
        pack: (socket) => this.#luggage.pack(socket),
        since: (socket) => this.#sinceOf(socket) ?? performance.now(),
        moved: () => {
          this.moved++;
        },
        stalled: () => this.#tellStalled(),
      },
      this.#slice,
    );
    const answers = new LastAnswers(this.#server, {
      isTold: (socket) => this.#staysUntilTold(socket),
      rested: (socket) => departures.rested(socket),
    });
    this.#leaving = { how: 'moved', departures, answers, told: 'kept' };
    mover.add(departures);
  }

  override tellAll(): void {
    if (this.#leaving.how !== 'moved') return;
    this.#leaving = { ...this.#leaving, told: 'all' };
    this.#tellStalled();
  }

  override keepOpen(): void {
    const leaving = this.#leaving;
    this.#leaving = { how: 'not-at-all' };
    if (leaving.how === 'moved') leaving.departures.stop();
    if (leaving.how !== 'not-at-all') leaving.answers.stop(this.sockets);
  }

  override get adopts(): boolean {
    return this.#handshakes === 'none';
  }

  override adopt(socket: Socket, data: Json): boolean {
    if (!this.#knowsAllOf() || !this.#luggage.unpack(socket, data)) return false;
    this.track(socket);
    this.#arrivals.serve(socket);
    // One that comes while this process hands over itself goes on at once.
    if (this.#leaving.how === 'moved') this.#leaving.departures.add(socket);
    return true;
  }

  override closeIdle(share = 1): void {
    const idle = [...this.sockets].filter((socket) => this.#canLeave(socket) && !this.#isHeld(socket));
    for (const socket of shareOf(idle, share)) socket.destroy();
  }

  override closeHalfSent(): Socket[] {
    const halfSent: Socket[] = [];
    for (const socket of this.sockets) {
      if (!this.#owesRequest(socket)) continue;
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
    return [...this.sockets].map((socket) =>
      httpActivity(socket) === 'between' ? { kind: 'idle connection' } : this.workOn(socket),
    );
  }

  override workOn(socket: Socket): Work {
    const answer = answerUnderWay(socket);
    if (answer !== null) {
      const since = this.#sinceOf(socket);
      return { kind: 'answer', path: withoutQuery(answer.req.url ?? ''), ...(since === undefined ? {} : { since }) };
    }
    const upgraded = this.#upgrades.kindOf(socket);
    if (upgraded !== null) return { kind: upgraded };
    if (httpActivity(socket) === 'elsewhere' && !this.#isShakingHands(socket)) return { kind: 'other' };
    return { kind: isSilent(socket) ? 'silent connection' : 'unfinished request' };
  }

  override forget(): void {
    this.keepOpen();
    this.#counts.forget();
    this.#upgrades.forget();
  }

  /** Since when its last answer has been under way, as far as it is known: while connections leave. */
  #sinceOf(socket: Socket): number | undefined {
    return this.#leaving.how === 'not-at-all' ? undefined : this.#leaving.answers.since(socket);
  }

  /** Whether nothing is known of the connections but what Node and the application's hooks know; says so where it is not. */
  #knowsAllOf(): boolean {
    if (this.#memory !== null || !this.#front.present) return true;
    this.#front.warn();
    return false;
  }

  /** Whether it does not go to the successor any more when its next answer is over. */
  #staysUntilTold(socket: Socket): boolean {
    if (this.#leaving.how !== 'moved') return false;
    return this.#leaving.told === 'all' || this.#leaving.departures.keeps(socket) || httpActivity(socket) === 'unknown';
  }

  /** What is being answered now could leave afterwards, and is told only where the successor takes none. */
  #tellStalled(): void {
    const leaving = this.#leaving;
    if (leaving.how !== 'moved' || leaving.told !== 'all' || !leaving.departures.stalled) return;
    for (const socket of this.sockets) leaving.answers.tell(socket);
  }

  #isHeld(socket: Socket): boolean {
    return this.#leaving.how === 'moved' && this.#leaving.departures.holds(socket);
  }

  /** Whether nothing is under way on it in either direction: it is between two requests, or before its first. */
  #canLeave(socket: Socket): boolean {
    if (socket.destroyed) return false;
    const activity = httpActivity(socket);
    if (activity === 'between' || activity === 'silent') return true;
    return activity === 'elsewhere' && this.#isShakingHands(socket) && isSilent(socket);
  }

  /** Whether its next request has begun, or its first has not, with nothing left to answer. */
  #owesRequest(socket: Socket): boolean {
    const activity = httpActivity(socket);
    return activity === 'receiving' || activity === 'silent' || this.#isShakingHands(socket);
  }

  /** Whether it is a connection to an https server on which no encrypted one stands yet. */
  #isShakingHands(socket: Socket): boolean {
    return this.#handshakes === 'told' && !(socket instanceof TLSSocket);
  }
}

/** Whether the client has never sent anything: of an encrypted connection, anything inside of it. */
function isSilent(socket: Socket): boolean {
  return socket.bytesRead === 0;
}
