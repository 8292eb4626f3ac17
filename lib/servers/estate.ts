import { Socket as DatagramSocket } from 'node:dgram';
import { Server, Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { Json } from '../channel/frame.ts';
import { setCloseOnExec } from '../fd/descriptor.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import type { Arriving } from '../handoff/connection-transfer.ts';
import type { Inheritance } from '../handoff/inheritance.ts';
import type { NamedDescriptor } from '../handoff/manifest.ts';
import type { SavedState, StateValue } from '../handoff/state.ts';
import {
  type AddressOptions,
  type BoundAddress,
  defaultName,
  resolveAddress,
  resolveDatagramAddress,
} from './address.ts';
import { AdoptedConnections } from './adopted-connections.ts';
import { BoundSocket } from './bound-socket.ts';
import type { Connections } from './connections.ts';
import type { Dependant } from './dependant.ts';
import { type DrainCounts, type DrainEnd, type DrainOrder, drain } from './drain.ts';
import { HeldSocket } from './held-socket.ts';
import { datagramType, isReadByHttp } from './internals.ts';
import { defaultBacklog } from './listener.ts';
import { givenSizeLimit, type Mover } from './mover.ts';
import type { Place } from './place.ts';
import { type Binding, PlaceChoice } from './place-choice.ts';
import { checkUnbound, Receiver } from './receiver.ts';
import { type ConnectionsLeave, routeOf, Served } from './served.ts';
import { restoreResumption, saveResumption } from './tls-resumption.ts';

/** Where and how `listen()` is to listen. */
export interface ListenOptions extends AddressOptions {
  /** Under which name the successor finds it; by default one made from the address. 1 to 255 characters, no colon. */
  readonly name?: string;
  /** How many connections the kernel may queue; 511 by default, capped by the system (net.core.somaxconn). */
  readonly backlog?: number;
  /** Permissions of a socket file, from its first moment; what the umask leaves by default. */
  readonly mode?: number;
  /** Leaves IPv4 out of a listener on `::`. */
  readonly ipv6Only?: boolean;
  /**
   * What becomes of established connections at a handoff. `'move'`, the default: they go to the successor, unclosed, where
   * they can (HTTP/1.1 between two requests; others by `app.move()`). `'drain'`: they end here, announced.
   */
  readonly connections?: ConnectionsLeave;
  /** SO_REUSEPORT, for a group of processes on one port. A handoff does not need it. */
  readonly reusePort?: boolean;
}

/** Where `bind()` is to receive; what else there is to say was said to `dgram.createSocket()`. */
export interface DatagramOptions {
  /** Under which name the successor finds it; by default one made from the address. 1 to 255 characters, no colon. */
  readonly name?: string;
  /** 0 to 65535; 0 takes any free port and keeps it across replacements. */
  readonly port?: number;
  /** A name or an address of the socket's family; without it every address of the machine. */
  readonly address?: string;
  /** A Unix datagram socket's path, `@name` for a Linux abstract one; instead of a port. The socket can be of either type. */
  readonly path?: string;
  /** Permissions of a socket file, from its first moment; what the umask leaves by default. */
  readonly mode?: number;
}

/** Where a datagram socket receives. */
export interface Bound extends BoundAddress {
  readonly name: string;
  /** Whether it came from the predecessor: its groups, its options and its peer came along. */
  readonly inherited: boolean;
  /** Whom it is connected to, where a predecessor has connected it. */
  readonly peer?: BoundAddress;
}

/** Where `hold()` is to listen: what becomes of connections is the business of whoever accepts them. */
export type HoldOptions = Omit<ListenOptions, 'connections'>;

/** Where a server listens. */
export interface Listening extends BoundAddress {
  readonly name: string;
  /** Whether it came from the predecessor. */
  readonly inherited: boolean;
}

/** A value that goes from each process to the next. */
export interface StateHooks<Value extends StateValue = StateValue> {
  /** Makes the value for the successor: JSON, or bytes. Runs while this process still serves, unless `late`. */
  readonly save: () => Value | Promise<Value>;
  /** Gets the predecessor's value, in the successor. */
  readonly restore: (value: Value) => void | Promise<void>;
  /** Saves at commit, when this process no longer accepts, instead of at the offer; restored when it arrives. */
  readonly late?: boolean;
}

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

/** Everything that this process has to serve with and to hand over: servers, descriptors, state. */
export class Estate {
  readonly #inheritance: Inheritance | null;
  readonly #places: PlaceChoice;
  readonly #served = new Map<string, Served>();
  readonly #receivers = new Map<string, Receiver>();
  /** Bound for others, who have copies: nothing is accepted here. */
  readonly #held = new Map<string, Place>();
  readonly #dependants = new Set<Dependant>();
  readonly #descriptors = new Map<string, OwnedFd>();
  readonly #states = new Map<string, StateHooks>();
  readonly #adopters = new Map<string, Adopter>();
  readonly #adopted = new AdoptedConnections();
  readonly #moves = new WeakMap<Socket, Promise<boolean>>();
  /** Names in use, those of listeners that are still being bound included. */
  readonly #names = new Set<string>();

  /** @param inheritance what came from the predecessor; null where there was none */
  constructor(inheritance: Inheritance | null, binding: Binding = 'binds') {
    this.#inheritance = inheritance;
    this.#places = new PlaceChoice(inheritance, binding);
  }

  get served(): readonly Served[] {
    return [...this.#served.values()];
  }

  get receivers(): readonly Receiver[] {
    return [...this.#receivers.values()];
  }

  /** Gives `server` the predecessor's listener, or a new one. Nothing is accepted yet. */
  async listen(server: Server, options: ListenOptions): Promise<Served> {
    this.#checkServer(server);
    return this.#placing('listen', options, async (name, place) => {
      const served = new Served(server, place, options.connections ?? 'move');
      this.#served.set(name, served);
      if (server instanceof TlsServer) await this.#shareResumption(name, server);
      return served;
    });
  }

  /** Gives `socket` the predecessor's bound socket, or a new one. Nothing is received yet. */
  async bind(socket: DatagramSocket, options: DatagramOptions): Promise<Receiver> {
    checkUnbound(socket);
    if (typeof options !== 'object' || options === null) {
      throw invalidType('bind() needs an object that says where: { port } or { path }.');
    }
    const address = await resolveDatagramAddress(options, datagramType(socket));
    return this.#naming(options.name ?? defaultName(address), async (name) => {
      const place = await this.#places.chooseForDatagrams(name, address, options.mode, socket);
      const receiver = await Receiver.open(socket, place, () => {
        if (this.#receivers.delete(name)) this.#names.delete(name);
      });
      this.#receivers.set(name, receiver);
      return receiver;
    });
  }

  /** The predecessor's listener, or a new one, on which this process does not accept: others do, with copies of it. */
  async hold(options: HoldOptions): Promise<Place> {
    return this.#placing('hold', options, async (name, place) => {
      this.#held.set(name, place);
      return place;
    });
  }

  /** Where others accept. */
  get held(): readonly Place[] {
    return [...this.#held.values()];
  }

  /** Registers who serves with copies of the listeners, and is drained together with the servers; returns what undoes it. */
  join(dependant: Dependant): () => void {
    this.#dependants.add(dependant);
    return () => this.#dependants.delete(dependant);
  }

  /** The predecessor's descriptor of that name, or what `open` makes; it stays ours, the caller borrows it. */
  async descriptor(name: string, open: () => number | OwnedFd | Promise<number | OwnedFd>): Promise<number> {
    return this.#naming(name, async () => {
      checkFunction(`The descriptor "${name}": open`, open);
      const inherited = this.#inheritance?.take(name)?.descriptor;
      const opened = inherited ?? (await open());
      const owned = typeof opened === 'number' ? new OwnedFd(opened, `the descriptor "${name}"`) : opened;
      // A number that is nobody's is told now, and not when everything is closed.
      try {
        setCloseOnExec(owned.fd, true);
      } catch (error) {
        owned.release();
        throw error;
      }
      this.#descriptors.set(name, owned);
      return owned.fd;
    });
  }

  /** Registers a state, and restores what the predecessor saved. Resolves with whether there was something to restore. */
  async state(name: string, hooks: StateHooks): Promise<boolean> {
    checkName(name);
    checkFunction(`The state "${name}": save`, hooks?.save);
    checkFunction(`The state "${name}": restore`, hooks.restore);
    return this.#registerState(name, hooks, name);
  }

  /** TLS sessions cannot move, but a client that connects again can resume its own. */
  async #shareResumption(name: string, server: TlsServer): Promise<void> {
    const hooks: StateHooks = {
      save: () => saveResumption(server),
      restore: (saved) => restoreResumption(server, saved as Json),
    };
    await this.#registerState(`@tls ${name}`, hooks, `@tls ${this.#places.formerName(name)}`);
  }

  async #registerState(name: string, hooks: StateHooks, inheritedName: string): Promise<boolean> {
    if (this.#states.has(name)) throw duplicate('state', name);
    this.#states.set(name, hooks);
    const saved = this.#inheritance?.state(inheritedName) ?? null;
    if (saved === null || saved === 'late') return saved !== null;
    await hooks.restore(saved.value);
    return true;
  }

  /** Restores a late state. One that nobody has registered is dropped: this version has no use for it. */
  async restoreLate(state: SavedState): Promise<void> {
    await this.#states.get(state.name)?.restore(state.value);
  }

  /** What an offer says of the states. */
  get stateEntries(): { name: string; late: boolean }[] {
    return [...this.#states].map(([name, { late }]) => ({ name, late: late ?? false }));
  }

  /** Runs the `save` hooks, one after the other. */
  async save(which: 'early' | 'late'): Promise<SavedState[]> {
    const saved: SavedState[] = [];
    for (const [name, { save, late = false }] of this.#states) {
      if (late === (which === 'late')) saved.push({ name, late, value: await save() });
    }
    return saved;
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
    const server = this.served.find(({ place }) => this.#routesTo(place).includes(route))?.connections;
    if (server?.adopts !== true) return false;
    const socket = socketOf(arriving, { allowHalfOpen: true });
    if (socket === null) return false;
    server.adopt(socket);
    return true;
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
    const counting = this.#counted.find(({ sockets }) => sockets.has(socket));
    if (counting !== undefined) counting.moved++;
    held.relinquish();
    return true;
  }

  #adoptBy(adopter: Adopter, arriving: Arriving, report: (error: unknown) => void): boolean {
    // As Node's own for a `net` server: when the client ends, so does the connection.
    const socket = socketOf(arriving, { allowHalfOpen: false });
    if (socket === null) return false;
    try {
      const adopting = adopter(socket, arriving.data);
      Promise.resolve(adopting).catch((error) => {
        socket.destroy();
        report(error);
      });
    } catch (error) {
      // close(2) alone: the predecessor has its copy, and goes on as if nothing had been.
      socket.destroy();
      report(error);
      return false;
    }
    // One that was given to a server here is counted there.
    const counted = this.#counted.some(({ sockets }) => sockets.has(socket));
    if (!counted && !socket.destroyed) this.#adopted.adopt(socket);
    return true;
  }

  /** What is to be handed over; borrowed. */
  get descriptors(): NamedDescriptor[] {
    return [
      ...this.#bound().map((socket) => socket.named),
      ...[...this.#descriptors].map(([name, { fd }]) => ({ name, fd })),
    ];
  }

  /** The names of the application's own descriptors. */
  get descriptorNames(): string[] {
    return [...this.#descriptors.keys()];
  }

  /** The names of the application's own states: those that begin with "@" are the library's. */
  get stateNames(): string[] {
    return [...this.#states.keys()].filter((name) => !name.startsWith('@'));
  }

  /** Accepts everywhere. When one place fails, those that accept already stop again. */
  async accept(): Promise<void> {
    try {
      for (const served of this.#everyone) await served.accept();
    } catch (error) {
      this.stopAccepting();
      throw error;
    }
  }

  /** Accepts again after a drain that was called off: on doubt everywhere it can. Returns what could not. */
  async acceptAgain(): Promise<Error[]> {
    const failures: Error[] = [];
    for (const dependant of this.#dependants) dependant.serveAgain();
    for (const served of this.#everyone) {
      if (served.place.closed || served.service !== 'stopped') continue;
      await served.accept().catch((error: Error) => failures.push(error));
    }
    return failures;
  }

  /** Accepts on what was registered late. Returns what could not. */
  async acceptWaiting(): Promise<Error[]> {
    const failures: Error[] = [];
    for (const served of this.#everyone) {
      if (served.place.closed || served.service !== 'waiting') continue;
      await served.accept().catch((error: Error) => failures.push(error));
    }
    return failures;
  }

  /**
   * Accepts no more. Where nobody else will, `'connections'` leaves datagrams alone: they are received until the end, which
   * is what exchanges that are under way need.
   */
  stopAccepting(what: 'everything' | 'connections' = 'everything'): void {
    for (const served of what === 'everything' ? this.#everyone : this.served) served.stopAccepting();
  }

  /** Drains every server and what was adopted, all at the same time. */
  async drain(order: DrainOrder): Promise<DrainEnd> {
    const ends = await Promise.all([
      drain(this.#adopted, order, () => this.#adopted.announceClose()),
      ...this.served.map((served) => served.drain(order)),
      ...[...this.#dependants].map((dependant) => dependant.drain(order)),
    ]);
    const counts = { moved: 0, drained: 0, forced: 0 };
    for (const end of ends) {
      if (end.how === 'cancelled') return end;
      add(counts, end.counts);
    }
    return { how: 'drained', counts };
  }

  /** After a handoff that failed: what the successor may have changed of shared descriptors is put right. */
  reassert(): void {
    for (const socket of this.#bound()) socket.reassert();
  }

  /**
   * Lets go of listeners that the successor has no use for, so that whoever connects is refused at once instead of
   * waiting in a queue that nobody serves. Other descriptors stay until this process leaves: the application has borrowed
   * their numbers, and may be using them to its end.
   */
  abandon(names: readonly string[]): void {
    for (const name of names) {
      try {
        this.#allPlaces.find((place) => place.name === name)?.remove();
      } catch {
        // A socket file that cannot be removed is stale now, and the next one who wants the path removes it.
      }
    }
  }

  /** Closes this process's listeners; `remove` for good: nobody inherits them, so socket files go too. */
  closeListeners(how: 'close' | 'remove'): Error[] {
    return eachOf(this.#allPlaces, (place) => place[how]());
  }

  /** Closes this process's copies. Returns what could not be closed; all the rest is. */
  close(): Error[] {
    for (const { connections } of this.#served.values()) connections.forget();
    for (const dependant of this.#dependants) dependant.letGo();
    return [
      ...this.closeListeners('close'),
      ...eachOf(this.receivers, (receiver) => receiver.close()),
      ...eachOf([...this.#descriptors.values()], (descriptor) => descriptor.close()),
    ];
  }

  /** Closes connections that wait for a next request. */
  closeIdle(): void {
    for (const { connections } of this.#served.values()) connections.closeIdle();
  }

  /** Closes everything for good. Returns what could not be closed or removed; all the rest is. */
  remove(): Error[] {
    return [...this.closeListeners('remove'), ...this.close()];
  }

  #checkServer(server: unknown): void {
    if (server instanceof DatagramSocket) {
      throw invalidType('listen() needs a server, and was given a datagram socket: that is for bind().');
    }
    if (!(server instanceof Server)) {
      throw invalidType(
        'listen() needs a server of net, http, https or http2. An application such as Express is the listener of one: http.createServer(app).',
      );
    }
    if (server.listening) {
      throw new HandoffError(
        'ERR_HANDOFF_ALREADY_OWNED',
        `The server listens on ${JSON.stringify(server.address())} by itself: leave its listen() to app.ready().`,
      );
    }
    const other = this.served.find((served) => served.server === server);
    if (other !== undefined) {
      throw new HandoffError(
        'ERR_HANDOFF_ALREADY_OWNED',
        `The server has the listener "${other.place.name}" already: a server has one, so make another for this one.`,
      );
    }
  }

  get #counted(): Connections[] {
    return [this.#adopted, ...this.served.map(({ connections }) => connections)];
  }

  get #everyone(): readonly (Served | Receiver)[] {
    return [...this.served, ...this.receivers];
  }

  get #allPlaces(): Pick<Place, 'name' | 'close' | 'remove'>[] {
    return [...this.#everyone.map(({ place }) => place), ...this.held];
  }

  /** What can be handed over. */
  #bound(): BoundSocket[] {
    const bound: BoundSocket[] = [];
    for (const place of this.#allPlaces) if (place instanceof BoundSocket && !place.closed) bound.push(place);
    return bound;
  }

  /** Checks where it is to be, and makes something of the place. */
  async #placing<Made>(
    method: string,
    options: ListenOptions,
    make: (name: string, place: Place) => Promise<Made>,
  ): Promise<Made> {
    if (typeof options !== 'object' || options === null) {
      throw invalidType(`${method}() needs an object that says where: { port } or { path }.`);
    }
    const address = await resolveAddress(options);
    return this.#naming(options.name ?? defaultName(address), async (name) => {
      const place = await this.#places.choose(name, address, {
        backlog: options.backlog ?? defaultBacklog,
        mode: options.mode,
        ipv6Only: options.ipv6Only ?? false,
        reusePort: options.reusePort ?? false,
      });
      return make(name, place);
    });
  }

  /** The routes whose connections the server in this place takes: its own name, and the one that the predecessor gave it. */
  #routesTo({ name }: Place): string[] {
    return [routeOf(name), routeOf(this.#places.formerName(name))];
  }

  /** Runs `make` with the name reserved; it is free again where that fails. */
  async #naming<Made>(name: string, make: (name: string) => Promise<Made>): Promise<Made> {
    checkName(name);
    if (this.#names.has(name)) throw duplicate('listener or descriptor', name);
    this.#names.add(name);
    try {
      return await make(name);
    } catch (error) {
      this.#names.delete(name);
      throw error;
    }
  }
}

/** The connection as a socket; null where it cannot be one any more, and then it is still the predecessor's. */
function socketOf({ descriptor, head }: Arriving, options: { allowHalfOpen: boolean }): Socket | null {
  let socket: Socket;
  try {
    socket = new Socket({ fd: descriptor.fd, ...options });
  } catch {
    return null;
  }
  descriptor.release();
  if (head.length > 0) socket.unshift(head);
  return socket;
}

/** Does `act` to each, whatever becomes of the others; returns what failed. */
function eachOf<Item>(items: readonly Item[], act: (item: Item) => void): Error[] {
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

function checkFunction(what: string, value: unknown): void {
  if (typeof value === 'function') return;
  throw invalidType(`${what} must be a function. Received ${typeof value}`);
}

function invalidType(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

function checkName(name: string): void {
  if (typeof name !== 'string') throw invalidType(`A name must be a string. Received ${typeof name}`);
  if (/^[!-9;-~ ]{1,255}$/.test(name) && !name.startsWith('@')) return;
  throw Object.assign(
    new TypeError(
      `The name ${JSON.stringify(name)} cannot be used: 1 to 255 printable ASCII characters, no colon (it separates names in LISTEN_FDNAMES), not starting with "@" (reserved).`,
    ),
    { code: 'ERR_INVALID_ARG_VALUE' },
  );
}

function duplicate(what: string, name: string): HandoffError {
  return new HandoffError(
    'ERR_HANDOFF_ALREADY_OWNED',
    `This process has a ${what} named "${name}" already: give each its own "name".`,
  );
}

function add(sum: { -readonly [count in keyof DrainCounts]: number }, counts: DrainCounts): void {
  sum.moved += counts.moved;
  sum.drained += counts.drained;
  sum.forced += counts.forced;
}
