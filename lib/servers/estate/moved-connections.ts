import { Socket } from 'node:net';
import type { Json } from '../../channel/frame.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import type { Arriving } from '../../transaction/connection-transfer.ts';
import { AdoptedConnections } from '../draining/adopted-connections.ts';
import type { Connections } from '../draining/connections.ts';
import { type DrainEnd, type DrainOrder, drain } from '../draining/drain.ts';
import { acceptedSocket, countAsAccepted } from '../internals/accepting.ts';
import { isReadByHttp } from '../internals/http.ts';
import { givenSizeLimit, type Mover } from '../moving/mover.ts';
import { HeldSocket } from './held-socket.ts';
import { checkName, duplicate } from './names.ts';
import type { ServedServers } from './served-servers.ts';

/**
 * Serves a connection that the predecessor's application has moved: its bytes start where the predecessor stopped. One
 * that throws has refused it, and must have written nothing: the connection goes on in the predecessor. One that rejects
 * has lost it: it is closed.
 */
export type Adopter = (socket: Socket, data: Json) => void | Promise<void>;

/** What the application moves. */
export interface Move {
  readonly route: string;
  readonly socket: Socket;
  /** What the application has read and not used. */
  readonly head: Buffer;
  readonly data: Json;
  /** How long what it has written may take to leave this process, in milliseconds. */
  readonly timeout: number;
}

/** Established connections that come from the predecessor, and those that go to the successor. */
export class MovedConnections {
  readonly #servers: ServedServers;
  readonly #adopters = new Map<string, Adopter>();
  readonly #adopted = new AdoptedConnections();
  readonly #moves = new WeakMap<Socket, Promise<boolean>>();

  constructor(servers: ServedServers) {
    this.#servers = servers;
  }

  /** How many routes are registered. */
  get size(): number {
    return this.#adopters.size;
  }

  /** All connections of this process, by whoever serves them. */
  get counted(): Connections[] {
    return [this.#adopted, ...this.#servers.all.map(({ connections }) => connections)];
  }

  /** Drains those that no server here serves. */
  drain(order: DrainOrder): Promise<DrainEnd> {
    return drain(this.#adopted, order, () => this.#adopted.announceClose());
  }

  /** Registers who serves connections that the application moves under `route`. */
  adopter(route: string, adopt: Adopter): void {
    checkName(route);
    checkFunction(`The adopter of "${route}"`, adopt);
    if (this.#adopters.has(route)) throw duplicate('connection route', route);
    this.#adopters.set(route, adopt);
  }

  /**
   * Serves a connection that came from the predecessor. Returns whether anybody here does; it is taken over then.
   *
   * @param report is told what the application's adopter throws
   */
  adopt(arriving: Arriving, report: (error: unknown) => void): boolean {
    const { route } = arriving;
    const adopter = this.#adopters.get(route);
    if (adopter !== undefined) return this.#adoptBy(adopter, arriving, report);
    const served = this.#servers.servingRoute(route);
    if (served?.connections.adopts !== true || served.service === 'retired') return false;
    const socket = socketOf(arriving, (fd) => acceptedSocket(served.server, fd));
    if (socket === null) return false;
    if (served.connections.adopt(socket, arriving.data)) return true;
    // close(2) alone: the predecessor has its copy, and goes on as if nothing had been.
    socket.destroy();
    return false;
  }

  /**
   * Gives a connection of the application to the successor. Resolves with whether that has it; otherwise it is still the
   * application's, and read from as before. Called again before that, it is the same move.
   */
  move(mover: Mover, move: Move): Promise<boolean> {
    const { socket, data, head } = move;
    const begun = this.#moves.get(socket);
    if (begun !== undefined) return begun;
    if (isReadByHttp(socket)) {
      throw new HandoffError(
        'ERR_HANDOFF_REFUSED',
        'An HTTP server reads this connection: it is moved without a call, between two requests.',
      );
    }
    const json: string | undefined = JSON.stringify(data);
    if (json === undefined) throw invalidType(`The data of a connection must be JSON. Received ${typeof data}`);
    const size = head.length + Buffer.byteLength(json);
    if (size > givenSizeLimit) {
      throw new HandoffError(
        'ERR_HANDOFF_REFUSED',
        `${size} bytes of data and head are over the limit of ${givenSizeLimit} for a connection: hand them over as state.`,
      );
    }
    const moving = this.#move(mover, move).finally(() => this.#moves.delete(socket));
    this.#moves.set(socket, moving);
    return moving;
  }

  async #move(mover: Mover, { route, socket, head, data, timeout }: Move): Promise<boolean> {
    const held = HeldSocket.hold(socket);
    if (held === null) return false;
    const unread = Buffer.concat([head, held.unread]);
    // The client must have what was written before it can get what the successor writes.
    const adopted = (await held.flush(timeout)) && (await mover.give({ route, socket, head: unread, data }));
    if (!adopted) {
      held.release();
      return false;
    }
    const counting = this.counted.find(({ sockets }) => sockets.has(socket));
    if (counting !== undefined) counting.moved++;
    held.relinquish();
    return true;
  }

  #adoptBy(adopter: Adopter, arriving: Arriving, report: (error: unknown) => void): boolean {
    // As Node's own for a `net` server: when the client ends, so does the connection.
    const socket = socketOf(arriving, (fd) => new Socket({ fd, allowHalfOpen: false }));
    if (socket === null) return false;
    try {
      const adopting = adopter(socket, arriving.data);
      Promise.resolve(adopting).then(
        () => this.#countWhereServed(socket),
        (error) => {
          socket.destroy();
          report(error);
        },
      );
    } catch (error) {
      // close(2) alone: the predecessor has its copy, and goes on as if nothing had been.
      socket.destroy();
      report(error);
      return false;
    }
    if (!this.#countWhereServed(socket) && !socket.destroyed) this.#adopted.adopt(socket);
    return true;
  }

  /** A connection that the adopter has given to a server here is one of that server's own. Returns whether it is. */
  #countWhereServed(socket: Socket): boolean {
    const served = this.#servers.all.find(({ connections }) => connections.sockets.has(socket));
    if (served !== undefined && !socket.destroyed) countAsAccepted(served.server, socket);
    return served !== undefined;
  }
}

/** The connection as a socket; null where it cannot be one any more, and then it is still the predecessor's. */
function socketOf({ descriptor, head }: Arriving, open: (fd: number) => Socket): Socket | null {
  let socket: Socket;
  try {
    socket = open(descriptor.fd);
  } catch {
    return null;
  }
  descriptor.release();
  if (head.length > 0) socket.unshift(head);
  return socket;
}

function checkFunction(what: string, value: unknown): void {
  if (typeof value === 'function') return;
  throw invalidType(`${what} must be a function. Received ${typeof value}`);
}

function invalidType(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}
