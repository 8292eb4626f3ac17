import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import {
  answerUnderWay,
  hasPartOfRequest,
  httpActivity,
  isLastRequest,
  lingerAtEnd,
  setKeepAlive,
} from '../internals/http.ts';
import { resumeReading, stopReading } from '../internals/sockets.ts';
import { type HttpExchange, watchExchanges } from './http-exchange-watch.ts';

/** Who is told of what happens on connections while they leave. */
export interface LastAnswersOwner {
  /** Whether an answer on this connection is to say that it is the last. */
  readonly isTold: (socket: Socket) => boolean;
  /**
   * Nothing is under way on the connection, in either direction. Called in the turn of the event loop in which that came
   * to be so: what the client sends in the instant of its answer is in the kernel still. Returns whether the connection is
   * the owner's from now on; otherwise it is served on.
   */
  readonly rested?: (socket: Socket) => boolean;
}

/**
 * The last answer on each connection of a server, while connections leave: it alone says `Connection: close`, where that is
 * to be said. With pipelining an earlier one that said so would drop those behind it.
 *
 * A client that sends its next request before it has its answer could go on like that for ever, and no answer would ever be
 * the last. So what it sends when two are under way stays in the kernel, until they are answered.
 */
export class LastAnswers {
  readonly #owner: LastAnswersOwner;
  /** Begun last on a connection, and not over; those that began before us are known only as long as they are given. */
  readonly #begun = new WeakMap<Socket, ServerResponse>();
  /** Those that say `Connection: close` because of us; another may say it because its client did. */
  readonly #told = new WeakSet<ServerResponse>();
  /** Nobody reads from them until the requests that have come are answered. */
  readonly #shut = new WeakSet<Socket>();
  /** When that was, on the clock of `performance.now()`. */
  readonly #since = new WeakMap<Socket, number>();
  readonly #created = performance.now();
  readonly #stopWatching: () => void;

  constructor(server: Server, owner: LastAnswersOwner) {
    this.#owner = owner;
    this.#stopWatching = watchExchanges(server, {
      begun: (exchange) => this.#begin(exchange),
      answered: (exchange) => this.#end(exchange),
    });
  }

  /**
   * Since when the last answer on a connection has been under way, as `performance.now()` tells it: of one that began before
   * us, at the latest since we are there.
   */
  since(socket: Socket): number {
    return this.#since.get(socket) ?? this.#created;
  }

  /** Has the answer that is under way say that it is the last, where its head is not sent and no other is behind it. */
  tell(socket: Socket): void {
    const last = this.#begun.get(socket) ?? answerBeforeNone(socket);
    if (last === null) return;
    this.#begun.set(socket, last);
    this.#tell(last);
  }

  /** These stay open: nothing is said on them from now on, and what was told and is not said yet is taken back. */
  stop(sockets: Iterable<Socket>): void {
    this.#stopWatching();
    for (const socket of sockets) {
      const last = this.#begun.get(socket);
      if (last !== undefined) this.#takeBack(last);
      if (this.#shut.delete(socket)) resumeReading(socket);
    }
  }

  #begin({ socket, response }: HttpExchange): void {
    // Asked before this one is given to its connection: where another is, this one waits for it.
    const isBehindAnother = answerUnderWay(socket) !== null;
    const earlier = this.#begun.get(socket);
    if (earlier !== undefined) this.#takeBack(earlier);
    this.#begun.set(socket, response);
    this.#since.set(socket, performance.now());
    if (this.#owner.isTold(socket)) this.#tell(response);
    if (isBehindAnother) process.nextTick(() => this.#shutBehind(socket, response));
  }

  #end({ socket, request, response }: HttpExchange): void {
    if (this.#begun.get(socket) !== response && !isLastRequest(socket, request)) {
      // The one behind it is given to the connection when Node has done with this.
      process.nextTick(() => {
        if (this.#owner.isTold(socket)) this.tell(socket);
      });
      return;
    }
    this.#begun.delete(socket);
    if (response.shouldKeepAlive) {
      // Node has not done with it: it sets the time limit of an idle connection, and reads the rest of the request.
      process.nextTick(() => this.#look(socket, request));
    } else if (this.#shut.delete(socket) || !request.complete) {
      lingerAtEnd(socket);
    }
  }

  /** Is the connection at rest, now that the answer to this request is over? */
  #look(socket: Socket, request: IncomingMessage): void {
    if (socket.destroyed) return;
    // Answered before its body has come: it is between two requests when that is over, too.
    if (!request.complete) {
      request.once('close', () => this.#look(socket, request));
      return;
    }
    const isTaken = httpActivity(socket) === 'between' && (this.#owner.rested?.(socket) ?? false);
    if (this.#shut.delete(socket) && !isTaken) resumeReading(socket);
  }

  /** Once this request has come whole, and nothing behind it has, nothing more is read until it is answered. */
  #shutBehind(socket: Socket, response: ServerResponse): void {
    // Another has begun meanwhile, which sees to it, or the answer is over already.
    if (socket.destroyed || this.#begun.get(socket) !== response) return;
    if (!response.req.complete) {
      response.req.once('close', () => this.#shutBehind(socket, response));
      return;
    }
    // Part of a further request is in the parser: it goes nowhere from there, unless this answer says that it is the last.
    if (response.shouldKeepAlive && hasPartOfRequest(socket)) return;
    if (stopReading(socket)) this.#shut.add(socket);
  }

  #tell(response: ServerResponse): void {
    if (response.headersSent || !response.shouldKeepAlive) return;
    this.#told.add(response);
    setKeepAlive(response, false);
  }

  #takeBack(response: ServerResponse): void {
    if (this.#told.delete(response)) setKeepAlive(response, true);
  }
}

/** The answer that is being given on a connection, unless another waits behind it that nobody can reach. */
function answerBeforeNone(socket: Socket): ServerResponse | null {
  const answer = answerUnderWay(socket);
  return answer !== null && isLastRequest(socket, answer.req) ? answer : null;
}
