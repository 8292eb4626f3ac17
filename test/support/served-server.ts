import http from 'node:http';
import https from 'node:https';
import type { Server } from 'node:net';
import { TLSSocket } from 'node:tls';
import { Listener } from '../../lib/servers/binding/listener.ts';
import type { DrainEnd } from '../../lib/servers/draining/drain.ts';
import { Served } from '../../lib/servers/serving/served.ts';
import { makeCertificate } from './certificate.ts';
import { type DrainTimes, drainOrder } from './drain-order.ts';
import { eventually } from './eventually.ts';
import { never } from './never.ts';
import { RawClient } from './raw-client.ts';

const certificate = makeCertificate();

/** A server in its place, accepting on a port of its own, with the clients that a test connects to it. */
export class ServedServer implements AsyncDisposable {
  readonly served: Served;
  readonly #protocol: 'http' | 'https';
  readonly #clients: RawClient[] = [];

  private constructor(served: Served, protocol: 'http' | 'https') {
    this.served = served;
    this.#protocol = protocol;
  }

  static async start(protocol: 'http' | 'https', listener: http.RequestListener): Promise<ServedServer> {
    // A request limit, which would end half a request by itself, is far beyond any test.
    const options = { keepAliveTimeout: 600_000, requestTimeout: 600_000, headersTimeout: 600_000 };
    const server =
      protocol === 'http'
        ? http.createServer(options, listener)
        : https.createServer({ ...options, ...certificate }, listener);
    return ServedServer.serve(server, protocol);
  }

  static async serve(server: Server, protocol: 'http' | 'https' = 'http'): Promise<ServedServer> {
    const place = await Listener.bind(
      'web',
      { family: 'tcp', host: '127.0.0.1', address: '127.0.0.1', port: 0 },
      { backlog: 64, mode: undefined, ipv6Only: false, reusePort: false },
    );
    const served = new Served(server, place);
    await served.accept();
    return new ServedServer(served, protocol);
  }

  get port(): number {
    return this.served.place.address.port as number;
  }

  /** A client whose handshake is done; `plain` stops before one. */
  async connect(how: 'done' | 'plain' = 'done'): Promise<RawClient> {
    const encrypted = how === 'done' && this.#protocol === 'https' ? 'tls' : 'plain';
    const before = this.served.connections.sockets.size;
    const client = await RawClient.connect(this.port, encrypted);
    this.#clients.push(client);
    const { sockets } = this.served.connections;
    await eventually(() => sockets.size > before);
    // The client is done with a handshake before the server is.
    if (encrypted === 'tls') await eventually(() => [...sockets].every((socket) => socket instanceof TLSSocket));
    return client;
  }

  /** Stops accepting and drains. */
  drain(limits: Partial<DrainTimes> = {}, force = never, cancel = never): Promise<DrainEnd> {
    this.served.stopAccepting();
    return this.served.drain(drainOrder(limits, force, cancel));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client[Symbol.dispose]();
    this.served.stopAccepting();
    this.served.connections.destroyAll();
    await this.served.connections.empty();
    this.served.connections.forget();
    this.served.place.close();
  }
}
