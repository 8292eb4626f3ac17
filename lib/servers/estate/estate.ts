import type { Socket as DatagramSocket } from 'node:dgram';
import type { Server } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { Json } from '../../channel/frame.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import { checkOptionNames } from '../../fd/option-names.ts';
import type { Inheritance } from '../../transaction/inheritance.ts';
import { type Keeper, keeperOf } from '../../transaction/keeper.ts';
import type { NamedDescriptor } from '../../transaction/manifest.ts';
import { type BoundAddress, defaultName, resolveDatagramAddress, wantedAddress, whereOf } from '../binding/address.ts';
import { type BindHooks, noBindHooks } from '../binding/bind-hooks.ts';
import { BoundSocket } from '../binding/bound-socket.ts';
import { Listener, type ServerPlace } from '../binding/listener.ts';
import type { Place } from '../binding/place.ts';
import { boundBefore, DatagramListener } from '../datagrams/datagram-listener.ts';
import { checkDatagramOptions, type DatagramOptions } from '../datagrams/datagram-options.ts';
import { checkUnbound, type Receiver } from '../datagrams/receiver.ts';
import type { Work } from '../draining/connections.ts';
import type { Dependant } from '../draining/dependant.ts';
import type { DrainCounts, DrainEnd, DrainOrder } from '../draining/drain.ts';
import { datagramType } from '../internals/datagrams.ts';
import { listeningServers } from '../internals/listening.ts';
import { type ConnectionHooks, ConnectionMemory } from '../moving/connection-memory.ts';
import { type HoldOptions, type ListenOptions, readListenOptions } from '../serving/listen-options.ts';
import { type ConnectionsLeave, readsHttp, Served } from '../serving/served.ts';
import { restoreResumption, saveResumption } from '../tls/tls-resumption.ts';
import { MovedConnections } from './moved-connections.ts';
import { checkName, Names } from './names.ts';
import { type DescriptorOpener, type DescriptorOptions, OwnDescriptors } from './own-descriptors.ts';
import { type Binding, isListener, PlaceChoice } from './place-choice.ts';
import { Receivers } from './receivers.ts';
import { eachOf, type FateOfClosed, ServedServers } from './served-servers.ts';
import { type StateHooks, States } from './states.ts';

const descriptorNames: Readonly<Record<keyof DescriptorOptions, true>> = { reopen: true, stdio: true };

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
  readonly #receivers: Receivers;
  /** Bound for others, who have copies: nothing is accepted here. */
  readonly #held = new Map<string, ServerPlace>();
  readonly #dependants = new Set<Dependant>();
  readonly #descriptors: OwnDescriptors;
  /** Of the application's own descriptors, those that somebody else keeps as well. */
  readonly #keepers = new Map<string, Keeper>();
  /** The values that go to the successor. */
  readonly states: States;
  /** What comes from the predecessor's connections, and goes to the successor's. */
  readonly moved: MovedConnections;
  readonly #names = new Names();
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
    this.states = new States(inheritance);
    this.#report = report;
    this.#descriptors = new OwnDescriptors(standardError, report);
    this.#hooks = hooks;
    this.#places = new PlaceChoice(inheritance, binding);
    this.#servers = new ServedServers(this.#places, {
      names: this.#names,
      fateOfClosed,
      onForgotten: ({ place }) => {
        this.states.forget(resumptionOf(place.name));
        onForgotten();
      },
    });
    this.moved = new MovedConnections(this.#servers);
    this.#receivers = new Receivers((name) => {
      this.#names.release(name);
      onForgotten();
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
    return this.#names.size + this.states.size + this.moved.size + this.#dependants.size;
  }

  /** Whether there is nothing here that clients could come by, or that others serve with. */
  get servesNothing(): boolean {
    return this.places.length + this.#descriptors.size + this.#dependants.size === 0;
  }

  get served(): readonly Served[] {
    return this.#servers.serving;
  }

  get receivers(): readonly Receiver[] {
    return this.#receivers.all;
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
    checkDatagramOptions(options);
    const address = await resolveDatagramAddress(options, datagramType(socket));
    return this.#names.naming(options.name ?? defaultName(address), async (name) => {
      const choose = () => this.#places.chooseForDatagrams(name, address, options.mode, socket);
      const place = await this.#takePlace(name, address, choose);
      return this.#receivers.open(socket, place, name);
    });
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
      else await this.#receivers.openBeside(place as DatagramListener, another);
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
    return this.states.register(name, hooks, name);
  }

  /** TLS sessions cannot move, but a client that connects again can resume its own. */
  async #shareResumption(served: Served, server: TlsServer): Promise<void> {
    const hooks: StateHooks = {
      save: () => saveResumption(server),
      restore: (saved) => restoreResumption(server, saved as Json),
    };
    const inheritedName = resumptionOf(this.#servers.formerName(served));
    await this.states.register(resumptionOf(served.place.name), hooks, inheritedName);
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

  /** Takes what the predecessor has beside what is registered here: after that nobody takes anything any more. */
  takeRest(): void {
    this.readyHeld();
    this.#takeCompanions(() => true);
    this.#receivers.expect(this.#places.takeDatagramCompanions((former) => this.#names.reserveFree(former)));
  }

  /** Accepts everywhere. When one place fails, those that accept already stop again. */
  async accept(): Promise<void> {
    this.takeRest();
    await this.#receivers.openExpected();
    try {
      await this.#servers.accept();
      await this.#receivers.accept();
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
      ...(await this.#receivers.acceptWhere('stopped')),
      ...(await this.#receivers.acceptWhere('waiting')),
    ];
  }

  /** Accepts on what was registered late, and lets go of what was closed meanwhile. Returns what could not. */
  async acceptWaiting(): Promise<Error[]> {
    return [...(await this.#servers.acceptWaiting()), ...(await this.#receivers.acceptWhere('waiting'))];
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
      this.moved.drain(order),
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
    eachOf(names, (name) => (this.#receivers.placeOf(name) ?? this.#held.get(name))?.remove());
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
    return [
      ...this.moved.counted.flatMap(({ works }) => works),
      ...[...this.#dependants].flatMap(({ works }) => works),
    ];
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
