import { Server as HttpServer } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { Server } from 'node:net';
import { Connections } from './connections.ts';
import { type DrainEnd, type DrainOrder, drain } from './drain.ts';
import { HttpConnections } from './http-connections.ts';
import { Http2Connections } from './http2-connections.ts';
import { attachTo, type Place, type Service } from './place.ts';

/** What becomes of established connections at a handoff: they go to the successor where they can, or they end here. */
export type ConnectionsLeave = 'move' | 'drain';

/** The route of connections that a listener's server judges: no name of a listener or a route has a colon. */
export function routeOf(listener: string): string {
  return `listener:${listener}`;
}

/** A Node server in its place: it accepts, stops accepting, accepts again, drains. */
export class Served {
  readonly server: Server;
  readonly place: Place;
  readonly connections: Connections;
  readonly leaving: ConnectionsLeave;
  #service: Service = 'waiting';

  constructor(server: Server, place: Place, leaving: ConnectionsLeave = 'move') {
    this.server = server;
    this.leaving = leaving;
    this.place = place;
    this.connections = connectionsOf(server);
  }

  get service(): Service {
    return this.#service;
  }

  /** Accepts from now on. Rejects with Node's error when the server cannot use the listener. */
  async accept(): Promise<void> {
    // A drain that was over before its cancel left this as it was: every answer would still say `Connection: close`.
    this.connections.keepOpen();
    await attachTo(this.place, this.server);
    this.#service = 'accepting';
  }

  /** Accepts no more. The listener itself stays, and so do the connections. */
  stopAccepting(): void {
    if (this.#service !== 'accepting') return;
    this.#service = 'stopped';
    // Not http.Server's own close(): it destroys idle connections at once and stops the check for half-sent requests.
    Server.prototype.close.call(this.server);
  }

  /** It came too late, and nobody is to connect to it. */
  dismiss(): void {
    this.place.remove();
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
    if (!(server instanceof HttpServer || server instanceof HttpsServer) || !Number.isFinite(limit)) return () => {};
    const before = server.keepAliveTimeout;
    server.keepAliveTimeout = before === 0 ? limit : Math.min(before, limit);
    return () => {
      server.keepAliveTimeout = before;
    };
  }
}

function connectionsOf(server: Server): Connections {
  if (server instanceof HttpServer || server instanceof HttpsServer) return new HttpConnections(server as HttpServer);
  // The classes of http2 are not exported; its servers are the ones with session settings.
  if ('updateSettings' in server) return new Http2Connections(server);
  return new Connections(server);
}
