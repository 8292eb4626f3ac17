import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Json } from '../channel/frame.ts';
import { resumeReading, stopReading } from './internals.ts';
import type { Mover, Parting, PartingSource } from './mover.ts';

/**
 * How many times as long as a search took it is not repeated. A search looks at every connection; this keeps it to a
 * fifth of the processor's time where thousands of them are busy and finish one by one.
 */
const searchRest = 4;

const nothing = Buffer.alloc(0);

/** What a look at some of the connections finds. */
export interface Survey {
  /** Those on which nothing is under way in either direction, each with how much was read from it until now. */
  readonly between: Map<Socket, number>;
  /** What is still being answered on the others, or was answered before the request had come whole. */
  readonly busy: ServerResponse[];
}

/** A look at every connection, at some of them in each turn of the event loop; `leaves` tells those that can leave still. */
export type Search = (leaves: (socket: Socket) => boolean) => Iterator<Survey, void>;

/** The HTTP connections of a server that leave for the successor, each between two requests. */
export class HttpDepartures implements PartingSource {
  readonly #mover: Mover;
  readonly #route: string;
  readonly #search: Search;
  readonly #pack: (socket: Socket) => Json | undefined;
  readonly #onMoved: () => void;
  /** Between two requests when last looked at, each with how much had been read of it then. */
  #candidates = new Map<Socket, number>();
  readonly #inTransit = new Set<Socket>();
  /** The successor did not take them: they stay, and drain. */
  readonly #kept = new WeakSet<Socket>();
  readonly #lookedAfter = new WeakSet<ServerResponse>();
  #searchIsDue = true;
  #searching: { readonly surveys: Iterator<Survey, void>; took: number } | null = null;
  #restUntil = 0;
  #rest: NodeJS.Timeout | null = null;

  /**
   * @param search finds the connections that can leave, and what keeps the others
   * @param pack makes what goes along with one of them; undefined where it is to stay
   * @param onMoved is told of each that has left
   */
  constructor(
    mover: Mover,
    route: string,
    search: Search,
    pack: (socket: Socket) => Json | undefined,
    onMoved: () => void,
  ) {
    this.#mover = mover;
    this.#route = route;
    this.#search = search;
    this.#pack = pack;
    this.#onMoved = onMoved;
  }

  /** Whether a connection was refused by the successor, and so ends here. */
  keeps(socket: Socket): boolean {
    return this.#kept.has(socket);
  }

  /** An answer is complete, or a connection has come: there may be another that can leave. */
  look(): void {
    this.#searchIsDue = true;
    if (!this.#isResting()) this.#mover.wake();
  }

  /** Once this answer is complete its connection can leave. */
  lookAfter(response: ServerResponse): void {
    if (this.#lookedAfter.has(response)) return;
    this.#lookedAfter.add(response);
    if (!response.writableFinished) response.once('close', () => this.look());
    // Answered before its body has come: the connection is between two requests only when the body is over, too.
    if (!response.req.complete) response.req.once('close', () => this.look());
  }

  /** Nothing more leaves. What is in transit still gets its answer. */
  stop(): void {
    this.#candidates.clear();
    this.#searchIsDue = false;
    this.#searching = null;
    if (this.#rest !== null) clearTimeout(this.#rest);
    this.#rest = null;
  }

  take(limit: number): Parting[] {
    if (this.#candidates.size === 0) this.#lookFurther();
    const partings: Parting[] = [];
    for (const [socket, bytesRead] of this.#candidates) {
      if (partings.length === limit) break;
      this.#candidates.delete(socket);
      if (!this.#leaves(socket)) continue;
      // One byte of a next request, and it is not between two any more.
      if (socket.destroyed || socket.bytesRead !== bytesRead || socket.writableLength > 0) continue;
      const data = this.#pack(socket);
      if (data !== undefined && stopReading(socket)) partings.push(this.#part(socket, data));
      else this.#kept.add(socket);
    }
    if (partings.length === 0) this.#lookLater();
    return partings;
  }

  #leaves(socket: Socket): boolean {
    return !this.#inTransit.has(socket) && !this.#kept.has(socket);
  }

  #part(socket: Socket, data: Json): Parting {
    this.#inTransit.add(socket);
    const timeout = socket.timeout ?? 0;
    socket.setTimeout(0);
    const settle = (adopted: boolean) => {
      this.#inTransit.delete(socket);
      if (adopted) {
        this.#onMoved();
        // close(2) alone: the successor has a copy, and the client notices nothing.
        socket.destroy();
        return;
      }
      this.#kept.add(socket);
      socket.setTimeout(timeout);
      resumeReading(socket);
    };
    return { route: this.#route, socket, head: nothing, data, settle };
  }

  /** Looks at some more connections, if a search is under way or due. */
  #lookFurther(): void {
    if (this.#searching === null) {
      if (!this.#searchIsDue || this.#isResting()) return;
      this.#searchIsDue = false;
      this.#searching = { surveys: this.#search((socket) => this.#leaves(socket)), took: 0 };
    }
    const begun = performance.now();
    const { value: survey } = this.#searching.surveys.next();
    if (survey) this.#candidates = survey.between;
    for (const response of survey?.busy ?? []) this.lookAfter(response);
    const ended = performance.now();
    this.#searching.took += ended - begun;
    if (survey) return;
    this.#restUntil = ended + searchRest * this.#searching.took;
    this.#searching = null;
  }

  /** Nothing can leave now: goes on with the search in another turn of the event loop, for requests that wait meanwhile. */
  #lookLater(): void {
    if (this.#searching === null && !this.#searchIsDue) return;
    if (this.#searching !== null || !this.#isResting()) setImmediate(() => this.#mover.wake());
  }

  /** Whether it is too soon to search again; the mover is woken when it no longer is. */
  #isResting(): boolean {
    const rest = this.#restUntil - performance.now();
    if (rest <= 0) return false;
    this.#rest ??= setTimeout(() => {
      this.#rest = null;
      this.#mover.wake();
    }, rest);
    return true;
  }
}
