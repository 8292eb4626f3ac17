import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { setKeepAlive } from '../internals/http.ts';
import { type HttpExchange, watchExchanges } from './http-exchange-watch.ts';

type Counted = Socket & { [symbol: symbol]: number | undefined };

/**
 * How many requests connections have had, in earlier processes too. Exactly where `maxRequestsPerSocket` says that somebody
 * has to know; else at least that it was one.
 */
export class RequestCounts {
  readonly #server: Server;
  readonly #here = Symbol('requests in this process');
  readonly #before = Symbol('requests in processes before');

  #stopWatching: (() => void) | null = null;

  constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Counts from now on, where the server has a limit. To be called when that is known, and not before: to be told of every
   * request costs it 3 % of its time.
   */
  count(): void {
    if (this.#limit > 0)
      this.#stopWatching ??= watchExchanges(this.#server, { begun: (exchange) => this.#begin(exchange) });
  }

  /** A connection has come that had so many before. */
  carry(socket: Socket, requests: number): void {
    this.count();
    (socket as Counted)[this.#before] = requests;
  }

  /** Counts no more. */
  forget(): void {
    this.#stopWatching?.();
    this.#stopWatching = null;
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
  #begin({ socket, response }: HttpExchange): void {
    const counted = socket as Counted;
    counted[this.#here] = (counted[this.#here] ?? 0) + 1;
    // Node has counted those of this process alone, and sees to the limit where there were no others.
    if (this.#limit > 0 && this.#earlier(socket) > 0 && this.of(socket) >= this.#limit) setKeepAlive(response, false);
  }

  get #limit(): number {
    return this.#server.maxRequestsPerSocket ?? 0;
  }

  #earlier(socket: Socket): number {
    return (socket as Counted)[this.#before] ?? 0;
  }
}
