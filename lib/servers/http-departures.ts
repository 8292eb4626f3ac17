import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { resumeReading, stopReading } from './internals.ts';
import type { Mover, Parting, PartingSource } from './mover.ts';

/**
 * How many times as long as a search took it is not repeated. A search looks at every connection; this keeps it to a
 * fifth of the processor's time where thousands of them are busy and finish one by one.
 */
const searchRest = 4;

const nothing = Buffer.alloc(0);

/** What a look at every connection finds. */
export interface Survey {
  /** Those on which nothing is under way in either direction, each with how much was read from it until now. */
  readonly between: Map<Socket, number>;
  /** What was answered last on the others, as far as anything was; their answers may be complete. */
  readonly busy: ServerResponse[];
}

/** The HTTP connections of a server that leave for the successor, each between two requests. */
export class HttpDepartures implements PartingSource {
  readonly #mover: Mover;
  readonly #route: string;
  readonly #search: () => Survey;
  readonly #onMoved: () => void;
  /** Between two requests when last looked at, each with how much had been read of it then. */
  #candidates = new Map<Socket, number>();
  readonly #inTransit = new Set<Socket>();
  /** The successor did not take them: they stay, and drain. */
  readonly #kept = new WeakSet<Socket>();
  readonly #lookedAfter = new WeakSet<ServerResponse>();
  #searchIsDue = true;
  #restUntil = 0;
  #rest: NodeJS.Timeout | null = null;

  /**
   * @param search finds the connections that can leave, and what keeps the others
   * @param onMoved is told of each that has left
   */
  constructor(mover: Mover, route: string, search: () => Survey, onMoved: () => void) {
    this.#mover = mover;
    this.#route = route;
    this.#search = search;
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
    if (this.#rest !== null) clearTimeout(this.#rest);
    this.#rest = null;
  }

  take(limit: number): Parting[] {
    if (this.#candidates.size === 0) this.#searchIfDue();
    const partings: Parting[] = [];
    for (const [socket, bytesRead] of this.#candidates) {
      if (partings.length === limit) break;
      this.#candidates.delete(socket);
      if (this.#inTransit.has(socket) || this.#kept.has(socket)) continue;
      // One byte of a next request, and it is not between two any more.
      if (socket.destroyed || socket.bytesRead !== bytesRead || socket.writableLength > 0) continue;
      if (stopReading(socket)) partings.push(this.#part(socket));
      else this.#kept.add(socket);
    }
    return partings;
  }

  #part(socket: Socket): Parting {
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
    return { route: this.#route, socket, head: nothing, data: null, settle };
  }

  #searchIfDue(): void {
    if (!this.#searchIsDue || this.#isResting()) return;
    this.#searchIsDue = false;
    const begun = performance.now();
    const { between, busy } = this.#search();
    this.#candidates = between;
    for (const response of busy) this.lookAfter(response);
    const ended = performance.now();
    this.#restUntil = ended + searchRest * (ended - begun);
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
