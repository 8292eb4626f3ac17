import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setKeepAlive } from './internals.ts';

type Counted = Socket & { [symbol: symbol]: number | undefined };

/**
 * How many requests connections have had, in earlier processes too. Exactly where `maxRequestsPerSocket` says that somebody
 * has to know; else at least that it was one.
 */
export class RequestCounts {
  readonly #server: Server;
  readonly #here = Symbol('requests in this process');
  readonly #before = Symbol('requests in processes before');

  constructor(server: Server) {
    this.#server = server;
  }

  /** A connection has come that had so many before. */
  carry(socket: Socket, requests: number): void {
    (socket as Counted)[this.#before] = requests;
  }

  of(socket: Socket): number {
    const counted = this.#earlier(socket) + ((socket as Counted)[this.#here] ?? 0);
    return counted === 0 && socket.bytesRead > 0 ? 1 : counted;
  }

  /** Whether the last of its requests was answered by a process before this one, and nothing has come here. */
  areAllBefore(socket: Socket): boolean {
    return socket.bytesRead === 0 && this.#earlier(socket) > 0;
  }

  /** A request has begun. Its answer is the last one where those of all processes are as many as may be. */
  begin(socket: Socket, response: ServerResponse): void {
    const limit = this.#server.maxRequestsPerSocket ?? 0;
    if (limit <= 0) return;
    const counted = socket as Counted;
    counted[this.#here] = (counted[this.#here] ?? 0) + 1;
    // Node has counted those of this process alone, and sees to the limit where there were no others.
    if (this.#earlier(socket) > 0 && this.of(socket) >= limit) setKeepAlive(response, false);
  }

  #earlier(socket: Socket): number {
    return (socket as Counted)[this.#before] ?? 0;
  }
}
