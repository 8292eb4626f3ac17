import { Server as HttpServer } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { Server } from 'node:net';
import type { ServerPlace } from '../binding/listener.ts';
import type { Service } from '../binding/place.ts';
import { Connections } from '../draining/connections.ts';
import { type DrainEnd, type DrainOrder, drain } from '../draining/drain.ts';
import { HttpConnections } from '../http/http-connections.ts';
import { Http2Connections } from '../http/http2-connections.ts';
import type { ConnectionMemory } from '../moving/connection-memory.ts';
import { Acceptor } from './acceptor.ts';

/** What becomes of established connections at a handoff: they go to the successor where they can, or they end here. */
export type ConnectionsLeave = 'move' | 'drain';

/** The route of connections that a listener's server judges: no name of a listener or a route has a colon. */
export function routeOf(listener: string): string {
  return `listener:${listener}`;
}

/** A Node server in its place: it accepts, stops accepting, accepts again, drains. */
export class Served {
  readonly server: Server;
  readonly place: ServerPlace;
  readonly connections: Connections;
  readonly leaving: ConnectionsLeave;
  /** The one of its own place, and those of the places that it serves besides. */
  readonly #acceptors: Acceptor[];
  #service: Service = 'waiting';

  /**
   * @param leaving how connections leave; with a memory what the application knows of them goes along
   * @param connections those of a server that has had another place before
   */
  constructor(
    server: Server,
    place: ServerPlace,
    leaving: ConnectionsLeave | ConnectionMemory = 'move',
    connections: Connections = connectionsOf(server),
  ) {
    this.server = server;
    this.leaving = typeof leaving === 'string' ? leaving : 'move';
    this.place = place;
    this.connections = connections;
    connections.belongTo(place.name, typeof leaving === 'string' ? null : leaving);
    this.#acceptors = [Acceptor.of(server, place)];
  }

  get service(): Service {
    return this.#service;
  }

  /** Its own place first. */
  get places(): readonly ServerPlace[] {
    return this.#acceptors.map(({ place }) => place);
  }

  /** Serves that place too, from `accept()` on. */
  serveBesides(place: ServerPlace): void {
    this.#acceptors.push(Acceptor.beside(this.server, place));
  }

  /** Accepts from now on. Rejects with Node's error when the server cannot use a listener. */
  async accept(): Promise<void> {
    // A drain that was over before its cancel left this as it was: every answer would still say `Connection: close`.
    this.connections.keepOpen();
    for (const acceptor of this.#acceptors) await acceptor.start();
    this.#service = 'accepting';
  }

  /**
   * Accepts again after a drain that was called off, wherever it can; what was let go of is bound again. Returns what
   * could not.
   */
  async acceptAgain(): Promise<Error[]> {
    this.connections.keepOpen();
    const failures: Error[] = [];
    for (const acceptor of this.#acceptors) {
      try {
        await acceptor.place.reopen();
        await acceptor.start();
      } catch (error) {
        failures.push(error as Error);
      }
    }
    if (this.#acceptors.some(({ accepting }) => accepting)) this.#service = 'accepting';
    return failures;
  }

  /** Accepts no more. The listeners themselves stay, and so do the connections. */
  stopAccepting(): void {
    for (const acceptor of this.#acceptors) acceptor.stop();
    if (this.#service === 'accepting') this.#service = 'stopped';
  }

  /** The application closes the server itself. */
  retire(): void {
    for (const acceptor of this.#acceptors.slice(1)) acceptor.stop();
    this.#service = 'retired';
  }

  drain(order: DrainOrder): Promise<DrainEnd> {
    const { limits, mover } = order;
    const restored = this.#shortenKeepAlive(limits.idle);
    const leave = () => {
      if (mover !== null && this.leaving === 'move') this.connections.move(mover, routeOf(this.place.name));
      else this.connections.announceClose();
    };
    return drain(this.connections, order, leave).finally(restored);
  }

  /** A connection that turns idle during the drain has no longer than those that were idle when it began. */
  #shortenKeepAlive(limit: number): () => void {
    const { server } = this;
    if (!readsHttp(server) || !Number.isFinite(limit)) return () => {};
    const before = server.keepAliveTimeout;
    server.keepAliveTimeout = before === 0 ? limit : Math.min(before, limit);
    return () => {
      server.keepAliveTimeout = before;
    };
  }
}

/** Whether its connections can move by themselves, and so can have something that goes along. */
export function readsHttp(server: Server): server is HttpServer {
  return server instanceof HttpServer || server instanceof HttpsServer;
}

function connectionsOf(server: Server): Connections {
  if (readsHttp(server)) return new HttpConnections(server);
  // The classes of http2 are not exported; its servers are the ones with session settings.
  if ('updateSettings' in server) return new Http2Connections(server);
  return new Connections(server);
}
