import { Socket as DatagramSocket } from 'node:dgram';
import { Server } from 'node:net';
import { HandoffError } from '../../fd/handoff-error.ts';
import { serveTaken, takeQueue } from '../binding/accept-queue.ts';
import { Listener, type ServerPlace } from '../binding/listener.ts';
import type { Connections } from '../draining/connections.ts';
import type { ConnectionMemory } from '../moving/connection-memory.ts';
import { onClose } from '../serving/close-watch.ts';
import { type ConnectionsLeave, routeOf, Served } from '../serving/served.ts';
import type { Names } from './names.ts';
import type { PlaceChoice } from './place-choice.ts';

/**
 * What becomes of a listener whose server the application closes: it is removed; only this process's copy is closed,
 * because another process serves beside this one; it goes back to the predecessor, who owns it still; that is seen to when
 * the offer is over that is under way, and has the listener in it; or nothing, because this process drains: everything is
 * closed already, and after a give-back, which the application cannot foresee, it is served again.
 */
export type FateOfClosed = 'remove' | 'close' | 'return' | 'later' | 'nothing';

/** What the servers of a process ask of it. */
export interface ServersOwner {
  readonly names: Names;
  /** Asked when the application closes a server. */
  readonly fateOfClosed: () => FateOfClosed;
  /** Is told of a server that is not handed over any more. */
  readonly onForgotten: (served: Served) => void;
}

/**
 * As many as wait in the queue of a listener whose backlog is not known: the kernel's own maximum where nobody has changed
 * it (net.core.somaxconn).
 */
const largestQueue = 4096;

/** The servers of this process, in their places. */
export class ServedServers {
  readonly #owner: ServersOwner;
  readonly #places: PlaceChoice;
  readonly #serving = new Set<Served>();
  /** Those that the application has closed, and whose connections are served on. */
  readonly #retired = new Set<Served>();
  /** Watched for as long as the server lives: a server that was closed can listen again, with connections that it still has. */
  readonly #connections = new WeakMap<Server, Connections>();
  readonly #stopWatching = new Map<Served, () => void>();

  constructor(places: PlaceChoice, owner: ServersOwner) {
    this.#places = places;
    this.#owner = owner;
  }

  /** Those that are handed over. */
  get serving(): readonly Served[] {
    return [...this.#serving];
  }

  /** All that have connections. */
  get all(): readonly Served[] {
    return [...new Set([...this.#serving, ...this.#retired])];
  }

  /** What is to be handed over of them. */
  get listeners(): readonly Listener[] {
    return this.serving
      .filter(({ service }) => service !== 'retired')
      .flatMap(({ places }) => places)
      .filter((place) => place instanceof Listener && !place.closed) as Listener[];
  }

  /** Nothing is accepted yet. */
  register(server: Server, place: ServerPlace, leaving: ConnectionsLeave | ConnectionMemory): Served {
    const served = new Served(server, place, leaving, this.#connections.get(server));
    this.#connections.set(server, served.connections);
    for (const former of this.#retired) if (former.server === server) this.#retired.delete(former);
    this.#serving.add(served);
    const stopWatching = onClose(server, () => this.#retire(served));
    this.#stopWatching.set(served, stopWatching);
    return served;
  }

  /** Throws for what cannot be registered. */
  check(server: unknown): asserts server is Server {
    if (server instanceof DatagramSocket) {
      throw Object.assign(
        new TypeError('listen() needs a server, and was given a datagram socket: that is for bind().'),
        { code: 'ERR_INVALID_ARG_TYPE' },
      );
    }
    if (!(server instanceof Server)) {
      throw Object.assign(
        new TypeError(
          'listen() needs a server of net, http, https or http2. An application such as Express is the listener of one: http.createServer(app).',
        ),
        { code: 'ERR_INVALID_ARG_TYPE' },
      );
    }
    if (server.listening) {
      throw new HandoffError(
        'ERR_HANDOFF_ALREADY_OWNED',
        `The server listens on ${JSON.stringify(server.address())} by itself: leave its listen() to app.ready().`,
      );
    }
    const other = this.serving.find((served) => served.server === server);
    if (other === undefined) return;
    throw new HandoffError(
      'ERR_HANDOFF_ALREADY_OWNED',
      `The server has the listener "${other.place.name}" already: a server has one, so make another for this one.`,
    );
  }

  /** What the predecessor called its place; its own name where it is new. */
  formerName(served: Served): string {
    return this.#places.formerName(served.place);
  }

  /** Who serves the connections of this route: by the names of its places, and those that the predecessor gave them. */
  servingRoute(route: string): Served | undefined {
    return this.serving.find(({ places }) =>
      places.some((place) => [place.name, this.#places.formerName(place)].map(routeOf).includes(route)),
    );
  }

  /** Has the server in this place serve another one besides. Returns whether there is one. */
  serveBesides(place: ServerPlace, companion: ServerPlace): boolean {
    const served = this.#servingIn(place);
    served?.serveBesides(companion);
    return served !== undefined;
  }

  /** Accepts everywhere. When one place fails, those that accept already stop again. */
  async accept(): Promise<void> {
    try {
      for (const served of this.serving) await served.accept();
    } catch (error) {
      this.stopAccepting();
      throw error;
    }
    // Nobody else serves these where it was this process itself, before an exec, that had the wide listener.
    for (const { place, listener } of this.#places.narrowed()) {
      const server = this.#servingIn(place)?.server;
      if (server !== undefined) serveTaken(server, takeQueue(listener, largestQueue));
    }
  }

  /** Accepts again after a drain that was called off: on doubt everywhere it can. Returns what could not. */
  async acceptAgain(): Promise<Error[]> {
    const failures: Error[] = [];
    for (const served of this.serving) {
      if (served.service !== 'stopped') continue;
      await this.#bindLost(served).catch((error: Error) => failures.push(error));
      failures.push(...(await served.acceptAgain()));
    }
    return failures;
  }

  /** Has it serve another listener at a path that does not lead to its own any more. */
  async #bindLost(served: Served): Promise<void> {
    const listeners = served.places.filter((place) => place instanceof Listener);
    for (const place of listeners) {
      if (listeners.some((other) => other !== place && other.address.path === place.address.path && other.isReachable))
        continue;
      const name = this.#owner.names.free(place.name);
      const another = await place.another(name);
      if (another !== null) served.serveBesides(another);
      if (another !== null) this.#owner.names.reserveFree(name);
    }
  }

  /** Accepts on what was registered late, and lets go of what was closed meanwhile. Returns what could not. */
  async acceptWaiting(): Promise<Error[]> {
    // First, and in one turn: who waited for the end of the offer may want a place that was closed in the middle of it.
    const closed = this.serving.filter(({ service }) => service === 'retired');
    const failures = closed.flatMap((served) => this.#letGoOf(served, this.#owner.fateOfClosed()));
    for (const served of this.serving) {
      if (served.place.closed || served.service !== 'waiting') continue;
      await served.accept().catch((error: Error) => failures.push(error));
    }
    return failures;
  }

  stopAccepting(): void {
    for (const served of this.serving) served.stopAccepting();
  }

  /** Lets go of listeners that the successor has no use for; who waits in their queues is served here. */
  abandon(names: readonly string[]): void {
    // A socket file that cannot be removed is stale now, and the next one who wants the path removes it.
    this.#removePlaces(({ name }) => names.includes(name));
  }

  /** After a `ready()` that failed: nobody but this process accepts on what it has bound itself. */
  withdraw(): Error[] {
    return this.#removePlaces(({ inherited }) => !inherited);
  }

  /** Closes the listeners, having taken who waits where nobody else accepts; `remove`: their socket files go too. */
  closeListeners(how: 'close' | 'remove'): Error[] {
    return this.serving.flatMap((served) =>
      eachOf(served.places, (place) => {
        const isShared = how === 'close' && place.inherited;
        place[how](isShared ? undefined : queueTakerOf(served));
      }),
    );
  }

  /** The same for a process that serves no more: what waits is left to whoever shares the listeners. */
  letGo(how: 'close' | 'remove'): Error[] {
    return this.serving.flatMap(({ places }) => eachOf(places, (place) => place[how]()));
  }

  /** This process has nothing more to do with them. */
  forgetAll(): void {
    for (const { connections } of this.all) connections.forget();
    for (const stopWatching of this.#stopWatching.values()) stopWatching();
  }

  /** Lets go of one that cannot be served after all, as if it had never been registered. */
  discard(served: Served): void {
    this.#forget(served);
    this.#connections.delete(served.server);
    served.connections.forget();
    for (const place of served.places) place.remove();
  }

  /** The application closes a server by itself: that is how one takes it out. */
  #retire(served: Served): void {
    const fate = this.#owner.fateOfClosed();
    if (fate === 'nothing' || served.service === 'retired') return;
    served.retire();
    this.#retired.add(served);
    // As with abandon(): a socket file that cannot be removed is stale, and in nobody's way.
    if (fate !== 'later') this.#letGoOf(served, fate);
    // They are not forgotten: the application may listen with the same server again.
    void served.connections.empty().then(() => this.#retired.delete(served));
  }

  #letGoOf(served: Served, fate: FateOfClosed): Error[] {
    this.#forget(served);
    return eachOf(served.places, (place) => {
      if (fate === 'return' && this.#places.putBack(place)) return;
      if (fate === 'close') place.close();
      else place.remove(fate === 'return' ? undefined : served.server);
    });
  }

  #forget(served: Served): void {
    this.#serving.delete(served);
    for (const { name } of served.places) this.#owner.names.release(name);
    this.#stopWatching.get(served)?.();
    this.#stopWatching.delete(served);
    this.#owner.onForgotten(served);
  }

  #removePlaces(chosen: (place: ServerPlace) => boolean): Error[] {
    return this.serving.flatMap((served) =>
      eachOf(served.places.filter(chosen), (place) => place.remove(queueTakerOf(served))),
    );
  }

  #servingIn(place: ServerPlace): Served | undefined {
    return this.serving.find((served) => served.place === place);
  }
}

/** Who serves those that wait in its queues: a server that has never listened is not ready for a connection. */
function queueTakerOf({ service, server }: Served): Server | undefined {
  return service === 'waiting' ? undefined : server;
}

/** Does `act` to each, whatever becomes of the others; returns what failed. */
export function eachOf<Item>(items: readonly Item[], act: (item: Item) => void): Error[] {
  const failures: Error[] = [];
  for (const item of items) {
    try {
      act(item);
    } catch (error) {
      failures.push(error as Error);
    }
  }
  return failures;
}
