import type { Socket as DatagramSocket } from 'node:dgram';
import { type Server, Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { Json } from '../../channel/frame.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import { checkOptionNames } from '../../fd/option-names.ts';
import type { Arriving } from '../../transaction/connection-transfer.ts';
import type { Inheritance } from '../../transaction/inheritance.ts';
import { type Keeper, keeperOf } from '../../transaction/keeper.ts';
import type { NamedDescriptor } from '../../transaction/manifest.ts';
import type { SavedState, StateValue } from '../../transaction/state.ts';
import { type BoundAddress, defaultName, resolveDatagramAddress, wantedAddress, whereOf } from '../binding/address.ts';
import { type BindHooks, noBindHooks } from '../binding/bind-hooks.ts';
import { BoundSocket } from '../binding/bound-socket.ts';
import { Listener, type ServerPlace } from '../binding/listener.ts';
import type { Place, Service } from '../binding/place.ts';
import { boundBefore, DatagramListener } from '../datagrams/datagram-listener.ts';
import { checkUnbound, Receiver } from '../datagrams/receiver.ts';
import { AdoptedConnections } from '../draining/adopted-connections.ts';
import type { Connections, Work } from '../draining/connections.ts';
import type { Dependant } from '../draining/dependant.ts';
import { type DrainCounts, type DrainEnd, type DrainOrder, drain } from '../draining/drain.ts';
import {
  acceptedSocket,
  countAsAccepted,
  datagramType,
  isReadByHttp,
  listeningServers,
} from '../internals/internals.ts';
import { type ConnectionHooks, ConnectionMemory } from '../moving/connection-memory.ts';
import { givenSizeLimit, type Mover } from '../moving/mover.ts';
import { type HoldOptions, type ListenOptions, readListenOptions } from '../serving/listen-options.ts';
import { type ConnectionsLeave, readsHttp, Served } from '../serving/served.ts';
import { restoreResumption, saveResumption } from '../tls/tls-resumption.ts';
import { HeldSocket } from './held-socket.ts';
import { checkName, duplicate, Names } from './names.ts';
import { type DescriptorOpener, type DescriptorOptions, OwnDescriptors } from './own-descriptors.ts';
import { type Binding, isListener, PlaceChoice } from './place-choice.ts';
import { eachOf, type FateOfClosed, ServedServers } from './served-servers.ts';

/** Where `bind()` is to receive; what else there is to say was said to `dgram.createSocket()`. */
export interface DatagramOptions {
  /** Under which name the successor finds it; by default one made from the address. 1 to 255 characters, no colon. */
  readonly name?: string;
  /** 0 to 65535, or that as a string (`process.env.PORT`); 0 takes any free port and keeps it across replacements. */
  readonly port?: number | string;
  /** A name or an address of the socket's family; without it every address of the machine. */
  readonly address?: string;
  /** A Unix datagram socket's path, `@name` for a Linux abstract one; instead of a port. The socket can be of either type. */
  readonly path?: string;
  /** Permissions of a socket file, from its first moment; what the umask leaves by default. */
  readonly mode?: number;
}

const datagramNames: Readonly<Record<keyof DatagramOptions, true>> = {
  name: true,
  port: true,
  address: true,
  path: true,
  mode: true,
};

const descriptorNames: Readonly<Record<keyof DescriptorOptions, true>> = { reopen: true, stdio: true };

/** What other libraries, and `bind()` of Node's own sockets, call it. */
const otherDatagramNames: Readonly<Record<string, string>> = {
  host: 'address',
  hostname: 'address',
  ip: 'address',
  exclusive: 'A socket is never shared with the workers of node:cluster: leave it out.',
  fd: 'Give it to handoff() as { inherit: [{ name, descriptor }] }, and its name to this call.',
};

/** Where a datagram socket receives. */
export interface Bound extends BoundAddress {
  readonly name: string;
  /** Whether it came from the predecessor: its groups, its options and its peer came along. */
  readonly inherited: boolean;
  /** Whom it is connected to, where a predecessor has connected it. */
  readonly peer?: BoundAddress;
}

/** Where a server listens. */
export interface Listening extends BoundAddress {
  readonly name: string;
  /** Whether it came from the predecessor. */
  readonly inherited: boolean;
}

/** Something that came from the predecessor, or was passed to this process. */
export interface InheritedDescriptor extends BoundAddress {
  readonly name: string;
  readonly kind: 'listener' | 'datagram' | 'other';
  /** How many connections the predecessor had the kernel queue, where it says so. */
  readonly backlog?: number;
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

/** How an estate is to be kept; everything has a default. */
export interface EstateOptions {
  readonly binding?: Binding;
  /** Called before and after each place is taken. */
  readonly hooks?: BindHooks;
  /** Asked what is to become of the listener of a server that the application closes. */
  readonly fateOfClosed?: () => FateOfClosed;
  /** Is told when something is not handed over any more. */
  readonly onForgotten?: () => void;
  /** Is told what the application's hooks of connections throw, and of files that could not be opened again. */
  readonly report?: (error: unknown) => void;
  /** The number of what standard error is meant to be, while 2 leads to the predecessor. */
  readonly standardError?: () => number;
}

/** Everything that this process has to serve with and to hand over: servers, descriptors, state. */
export class Estate {
  readonly #inheritance: Inheritance | null;
  readonly #hooks: BindHooks;
  readonly #places: PlaceChoice;
  readonly #servers: ServedServers;
  readonly #receivers = new Map<string, Receiver>();
  /** Datagram sockets that have lost their file, each for the socket that has another at its path. */
  readonly #outlived: { readonly of: DatagramListener; readonly companion: DatagramListener }[] = [];
  /** Bound for others, who have copies: nothing is accepted here. */
  readonly #held = new Map<string, ServerPlace>();
  readonly #dependants = new Set<Dependant>();
  readonly #descriptors: OwnDescriptors;
  /** Of the application's own descriptors, those that somebody else keeps as well. */
  readonly #keepers = new Map<string, Keeper>();
  readonly #states = new Map<string, StateHooks>();
  readonly #adopters = new Map<string, Adopter>();
  readonly #adopted = new AdoptedConnections();
  readonly #moves = new WeakMap<Socket, Promise<boolean>>();
  readonly #names = new Names();
  readonly #onForgotten: () => void;
  readonly #report: (error: unknown) => void;

  /** @param inheritance what came from the predecessor; null where there was none */
  constructor(
    inheritance: Inheritance | null,
    {
      binding = 'binds',
      hooks = noBindHooks,
      fateOfClosed = () => 'remove',
      onForgotten = () => {},
      report = () => {},
      standardError = () => 2,
    }: EstateOptions = {},
  ) {
    this.#inheritance = inheritance;
    this.#onForgotten = onForgotten;
    this.#report = report;
    this.#descriptors = new OwnDescriptors(standardError, report);
    this.#hooks = hooks;
    this.#places = new PlaceChoice(inheritance, binding);
    this.#servers = new ServedServers(this.#places, {
      names: this.#names,
      fateOfClosed,
      onForgotten: ({ place }) => {
        this.#states.delete(resumptionOf(place.name));
        onForgotten();
      },
    });
  }

  /** What was inherited and nobody has registered yet. */
  get inherited(): InheritedDescriptor[] {
    return (this.#inheritance?.unclaimed ?? []).map((entry) => ({
      name: entry.name,
      kind: isListener(entry) ? 'listener' : entry.kind === 'datagram' ? 'datagram' : 'other',
      ...whereOf(boundBefore(entry)),
      ...(typeof entry.backlog === 'number' ? { backlog: entry.backlog } : {}),
    }));
  }

  /** The listeners and datagram sockets of this process. */
  get places(): Pick<Place, 'name' | 'address'>[] {
    const served = this.#servers.serving.flatMap(({ places }) => places);
    return [...served, ...this.held, ...this.receivers.map(({ place }) => place)];
  }

  /** Where servers of this process listen that nobody has registered here. */
  get strangers(): BoundAddress[] {
    const own: readonly Server[] = this.#servers.all.map(({ server }) => server);
    return listeningServers()
      .filter((server) => !own.includes(server))
      .map((server) => server.address())
      .filter((address) => address !== null)
      .map((address) => (typeof address === 'string' ? { path: address } : whereOf(address)));
  }

  /** How much is registered. */
  get size(): number {
    return this.#names.size + this.#states.size + this.#adopters.size + this.#dependants.size;
  }

  /** Whether there is nothing here that clients could come by, or that others serve with. */
  get servesNothing(): boolean {
    return this.places.length + this.#descriptors.size + this.#dependants.size === 0;
  }

  get served(): readonly Served[] {
    return this.#servers.serving;
  }

  get receivers(): readonly Receiver[] {
    return [...this.#receivers.values()];
  }

  /** Gives `server` the predecessor's listener, or a new one. Nothing is accepted yet. */
  async listen(server: Server, options: ListenOptions): Promise<Served> {
    this.#servers.check(server);
    // Anything that is none of the words is looked at with the other options.
    const remembers = typeof options?.connections === 'object' && options.connections !== null;
    if (remembers && !readsHttp(server)) throw movedByTheApplication();
    return this.#placing('listen', options, async (place, connections) => {
      const leave =
        typeof connections === 'string' ? connections : new ConnectionMemory(place.name, connections, this.#report);
      const served = this.#servers.register(server, place, leave);
      if (server instanceof TlsServer) await this.#shareResumption(served, server);
      return served;
    });
  }

  /** Gives `socket` the predecessor's bound socket, or a new one. Nothing is received yet. */
  async bind(socket: DatagramSocket, options: DatagramOptions): Promise<Receiver> {
    checkUnbound(socket);
    if (typeof options !== 'object' || options === null) {
      throw invalidType('bind() needs an object that says where: { port } or { path }.');
    }
    checkOptionNames('bind()', options, datagramNames, otherDatagramNames);
    const address = await resolveDatagramAddress(options, datagramType(socket));
    return this.#names.naming(options.name ?? defaultName(address), async (name) => {
      const choose = () => this.#places.chooseForDatagrams(name, address, options.mode, socket);
      const place = await this.#takePlace(name, address, choose);
      const receiver = await Receiver.open(socket, place, () => this.#forgetReceiver(name));
      this.#receivers.set(name, receiver);
      return receiver;
    });
  }

  #forgetReceiver(name: string): void {
    if (!this.#receivers.delete(name)) return;
    this.#names.release(name);
    this.#onForgotten();
  }

  /** Has the socket of a place receive in another one at its path as well. */
  async #receiveBeside(of: DatagramListener, companion: DatagramListener): Promise<void> {
    const socket = this.receivers.find(({ place }) => place === of)?.socket;
    if (socket === undefined) return companion.close();
    const receiver = await Receiver.beside(socket, companion, () => this.#forgetReceiver(companion.name));
    this.#receivers.set(companion.name, receiver);
  }

  /** As `ServedServers.acceptAgain()` does it: others at the paths that lead to the present ones no more. */
  async #bindLost(): Promise<void> {
    for (const place of [...this.held, ...this.receivers.map((receiver) => receiver.place)]) {
      if (!(place instanceof Listener || place instanceof DatagramListener)) continue;
      const { path } = place.address;
      if (this.#bound().some((other) => other !== place && other.address.path === path && other.isReachable)) continue;
      const another = await place.another(this.#names.free(place.name));
      if (another === null) continue;
      this.#names.reserveFree(another.name);
      if (another instanceof Listener) this.#held.set(another.name, another);
      else await this.#receiveBeside(place as DatagramListener, another);
    }
  }

  /** The predecessor's listener, or a new one, on which this process does not accept: others do, with copies of it. */
  async hold(options: HoldOptions): Promise<ServerPlace> {
    return this.#placing('hold', options, async (place) => {
      this.#held.set(place.name, place);
      return place;
    });
  }

  /** Where others accept. */
  get held(): readonly ServerPlace[] {
    return [...this.#held.values()];
  }

  /** Before others get what is held: it listens, and so does what the predecessor has beside it, which is held too. */
  readyHeld(): void {
    for (const place of this.held) place.listen();
    this.#takeCompanions((place) => this.held.includes(place));
  }

  /** Registers who serves with copies of the listeners, and is drained together with the servers; returns what undoes it. */
  join(dependant: Dependant): () => void {
    this.#dependants.add(dependant);
    return () => this.#dependants.delete(dependant);
  }

  /** Lets go of what cannot be served after all, as if it had never been registered. */
  discard(registered: Served | Receiver): void {
    if (registered instanceof Served) this.#servers.discard(registered);
    else registered.dismiss();
  }

  /** The predecessor's descriptor of that name, or what `open` makes; it stays ours, the caller borrows it. */
  async descriptor(name: string, open: DescriptorOpener, options: DescriptorOptions = {}): Promise<number> {
    return this.#names.naming(name, async () => {
      checkFunction(`The descriptor "${name}": open`, open);
      checkOptionNames('descriptor()', options, descriptorNames);
      const inherited = this.#inheritance?.take(name) ?? null;
      const fd = await this.#descriptors.add(name, open, options, {
        inherited: inherited?.descriptor ?? null,
        rehearsed: this.#inheritance?.rehearsed ?? false,
      });
      const keeper = inherited === null ? null : keeperOf(inherited.entry);
      if (keeper !== null) this.#keepers.set(name, keeper);
      return fd;
    });
  }

  /** Files were renamed by others: those descriptors that are to follow are opened again. */
  reopen(): void {
    this.#descriptors.reopen();
  }

  /** Registers a state, and restores what the predecessor saved. Resolves with whether there was something to restore. */
  async state(name: string, hooks: StateHooks): Promise<boolean> {
    checkName(name);
    checkFunction(`The state "${name}": save`, hooks?.save);
    checkFunction(`The state "${name}": restore`, hooks.restore);
    return this.#registerState(name, hooks, name);
  }

  /** TLS sessions cannot move, but a client that connects again can resume its own. */
  async #shareResumption(served: Served, server: TlsServer): Promise<void> {
    const hooks: StateHooks = {
      save: () => saveResumption(server),
      restore: (saved) => restoreResumption(server, saved as Json),
    };
    const inheritedName = resumptionOf(this.#servers.formerName(served));
    await this.#registerState(resumptionOf(served.place.name), hooks, inheritedName);
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
    const counting = this.#counted.find(({ sockets }) => sockets.has(socket));
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

  /** What is to be handed over; borrowed. */
  get descriptors(): NamedDescriptor[] {
    const descriptors: NamedDescriptor[] = [...this.#bound().map((socket) => socket.named), ...this.#descriptors.named];
    return descriptors.map((descriptor) => {
      const keeper = this.keeperOf(descriptor.name);
      return keeper === null ? descriptor : { ...descriptor, notes: { ...descriptor.notes, keeper } };
    });
  }

  /** Who else keeps a descriptor of this process, so that it outlives it; null where nobody does. */
  keeperOf(name: string): Keeper | null {
    return this.#boundAs(name)?.keeper ?? this.#keepers.get(name) ?? null;
  }

  keptBy(name: string, keeper: Keeper): void {
    const bound = this.#boundAs(name);
    if (bound === undefined) this.#keepers.set(name, keeper);
    else bound.keeper = keeper;
  }

  /** The names of the application's own descriptors. */
  get descriptorNames(): string[] {
    return this.#descriptors.names;
  }

  /** The names of the application's own states: those that begin with "@" are the library's. */
  get stateNames(): string[] {
    return [...this.#states.keys()].filter((name) => !name.startsWith('@'));
  }

  /** Takes what the predecessor has beside what is registered here: after that nobody takes anything any more. */
  takeRest(): void {
    this.readyHeld();
    this.#takeCompanions(() => true);
    this.#outlived.push(...this.#places.takeDatagramCompanions((former) => this.#names.reserveFree(former)));
  }

  /** Accepts everywhere. When one place fails, those that accept already stop again. */
  async accept(): Promise<void> {
    this.takeRest();
    for (const { of, companion } of this.#outlived.splice(0)) await this.#receiveBeside(of, companion);
    try {
      await this.#servers.accept();
      for (const receiver of this.receivers) await receiver.accept();
    } catch (error) {
      this.stopAccepting();
      throw error;
    }
  }

  /** Accepts again after a drain that was called off: on doubt everywhere it can. Returns what could not. */
  async acceptAgain(): Promise<Error[]> {
    const failures: Error[] = [];
    for (const place of this.held) await place.reopen().catch((error: Error) => failures.push(error));
    await this.#bindLost().catch((error: Error) => failures.push(error));
    for (const dependant of this.#dependants) dependant.serveAgain();
    return [
      ...failures,
      ...(await this.#servers.acceptAgain()),
      ...(await this.#receiveWhere('stopped')),
      ...(await this.#receiveWhere('waiting')),
    ];
  }

  /** Accepts on what was registered late, and lets go of what was closed meanwhile. Returns what could not. */
  async acceptWaiting(): Promise<Error[]> {
    return [...(await this.#servers.acceptWaiting()), ...(await this.#receiveWhere('waiting'))];
  }

  async #receiveWhere(service: Service): Promise<Error[]> {
    const failures: Error[] = [];
    for (const receiver of this.receivers) {
      if (receiver.place.closed || receiver.service !== service) continue;
      await receiver.accept().catch((error: Error) => failures.push(error));
    }
    return failures;
  }

  /**
   * Accepts no more. Where nobody else will, `'connections'` leaves datagrams alone: they are received until the end, which
   * is what exchanges that are under way need.
   */
  stopAccepting(what: 'everything' | 'connections' = 'everything'): void {
    this.#servers.stopAccepting();
    if (what === 'everything') for (const receiver of this.receivers) receiver.stopAccepting();
  }

  /** Drains every server and what was adopted, all at the same time. */
  async drain(order: DrainOrder): Promise<DrainEnd> {
    const ends = await Promise.all([
      drain(this.#adopted, order, () => this.#adopted.announceClose()),
      ...this.#servers.all.map((served) => served.drain(order)),
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
   * What must not be done before this process owns the service: the mode and the owner of socket files that it has
   * inherited. Returns what could not.
   */
  claim(): Error[] {
    const held = this.held.filter((place) => place instanceof Listener).filter(({ closed }) => !closed);
    return eachOf([...this.#servers.listeners, ...held], (listener) => listener.claim());
  }

  /**
   * Lets go of listeners that the successor has no use for, so that whoever connects is refused at once instead of
   * waiting in a queue that nobody serves. Other descriptors stay until this process leaves: the application has borrowed
   * their numbers, and may be using them to its end.
   */
  abandon(names: readonly string[]): void {
    this.#servers.abandon(names);
    // A socket file that cannot be removed is stale now, and the next one who wants the path removes it.
    eachOf(names, (name) => (this.#receivers.get(name)?.place ?? this.#held.get(name))?.remove());
  }

  /** After a `ready()` that failed: nobody but this process accepts on what it has bound itself. */
  withdraw(): Error[] {
    return [
      ...this.#servers.withdraw(),
      ...eachOf(
        this.held.filter(({ inherited }) => !inherited),
        (place) => place.remove(),
      ),
    ];
  }

  /**
   * Closes this process's listeners, having taken who waits where nobody else accepts; `remove` for good: nobody inherits
   * them, so socket files go too.
   */
  closeListeners(how: 'close' | 'remove'): Error[] {
    return [...this.#servers.closeListeners(how), ...this.#closeOthers(how)];
  }

  /** Closes this process's copies. Returns what could not be closed; all the rest is. */
  close(): Error[] {
    this.#servers.forgetAll();
    for (const dependant of this.#dependants) dependant.letGo();
    return [
      ...this.#servers.letGo('close'),
      ...this.#closeOthers('close'),
      ...eachOf(this.receivers, (receiver) => receiver.close()),
      ...this.#descriptors.close(),
    ];
  }

  /** Closes everything for good. Returns what could not be closed or removed; all the rest is. */
  remove(): Error[] {
    return [...this.#servers.letGo('remove'), ...this.#closeOthers('remove'), ...this.close()];
  }

  /** Closes connections that wait for a next request. */
  closeIdle(): void {
    for (const { connections } of this.served) connections.closeIdle();
  }

  #closeOthers(how: 'close' | 'remove'): Error[] {
    return eachOf([...this.receivers.map(({ place }) => place), ...this.held], (place) => place[how]());
  }

  /** What a drain waits for. */
  get works(): Work[] {
    return [...this.#counted.flatMap(({ works }) => works), ...[...this.#dependants].flatMap(({ works }) => works)];
  }

  get #counted(): Connections[] {
    return [this.#adopted, ...this.#servers.all.map(({ connections }) => connections)];
  }

  #boundAs(name: string): BoundSocket | undefined {
    return this.#bound().find((socket) => socket.name === name);
  }

  /** What can be handed over. */
  #bound(): BoundSocket[] {
    const others: unknown[] = [...this.receivers.map(({ place }) => place), ...this.held];
    const sockets = others.filter((place) => place instanceof BoundSocket).filter(({ closed }) => !closed);
    return [...this.#servers.listeners, ...sockets];
  }

  /** What the predecessor has beside a place of this process goes to whoever serves that. */
  #takeCompanions(isReady: (place: ServerPlace) => boolean): void {
    for (const { of, companion } of this.#places.takeCompanions((former) => this.#names.reserveFree(former), isReady)) {
      if (!this.#servers.serveBesides(of, companion)) this.#held.set(companion.name, companion);
    }
  }

  /** Checks where it is to be, and makes something of the place. */
  async #placing<Made>(
    method: 'listen' | 'hold',
    options: ListenOptions,
    make: (place: ServerPlace, connections: ConnectionsLeave | ConnectionHooks) => Promise<Made>,
  ): Promise<Made> {
    const { connections, ...listenerOptions } = readListenOptions(options, method);
    const address = await wantedAddress(options);
    // The members of a group need no names: any is as good as the other.
    const own = listenerOptions.reusePort ? this.#names.free(defaultName(address)) : defaultName(address);
    return this.#names.naming(options.name ?? own, async (name) => {
      const choose = () => this.#places.choose(name, address, listenerOptions);
      const where = address.family === 'any' ? {} : address;
      return make(await this.#takePlace(name, where, choose), connections);
    });
  }

  /** A place, between the application's hooks: what it does not want when it is bound is let go of again. */
  async #takePlace<Taken extends Omit<Place, 'attach'>>(
    name: string,
    wanted: BoundAddress,
    choose: () => Promise<Taken>,
  ): Promise<Taken> {
    await this.#hooks.beforeBind({ name, address: whereOf(wanted) });
    const place = await choose();
    const { address, inherited } = place;
    try {
      await this.#hooks.afterBind({ name, address, inherited });
      return place;
    } catch (error) {
      if (!this.#places.putBack(place)) place[inherited ? 'close' : 'remove']();
      throw error;
    }
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

function movedByTheApplication(): HandoffError {
  return new HandoffError(
    'ERR_HANDOFF_REFUSED',
    'listen() was given { connections: { save, restore } } for a server that is none of http: its connections do not move by themselves. Move them by app.move(route, socket, { data }), where data says what is known of them.',
  );
}

function checkFunction(what: string, value: unknown): void {
  if (typeof value === 'function') return;
  throw invalidType(`${what} must be a function. Received ${typeof value}`);
}

function invalidType(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

/** The state by which TLS clients of a listener resume their sessions; no state of the application has such a name. */
function resumptionOf(listener: string): string {
  return `@tls ${listener}`;
}

function add(sum: { -readonly [count in keyof DrainCounts]: number }, counts: DrainCounts): void {
  sum.moved += counts.moved;
  sum.drained += counts.drained;
  sum.forced += counts.forced;
}
