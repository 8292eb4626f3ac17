import type { Socket } from 'node:dgram';
import { constants } from 'node:os';
import { HandoffError } from '../../fd/handoff-error.ts';
import { isSupported } from '../../fd/native.ts';
import { OwnedFd } from '../../fd/owned-fd.ts';
import type { Inheritance } from '../../transaction/inheritance.ts';
import { keeperOf } from '../../transaction/keeper.ts';
import type { Inherited, ManifestEntry } from '../../transaction/manifest.ts';
import { SocketFile } from '../../transaction/path/socket-file.ts';
import {
  type Address,
  type BoundAddress,
  type DatagramAddress,
  formatAddress,
  satisfies,
  type WantedAddress,
} from '../binding/address.ts';
import { fileInManifest } from '../binding/bound-socket.ts';
import { hasIPv6, Listener, type ListenerOptions, type ServerPlace } from '../binding/listener.ts';
import { PlainPlace } from '../binding/plain-place.ts';
import { covers, overlaps, type Reach, reachOf } from '../binding/reach.ts';
import { RehearsedPlace } from '../binding/rehearsed-place.ts';
import { warnOfLostFile } from '../binding/socket-file-warning.ts';
import {
  boundBefore,
  DatagramListener,
  type DatagramListenerOptions,
  type DatagramPlace,
} from '../datagrams/datagram-listener.ts';
import { PlainDatagramPlace } from '../datagrams/plain-datagram-place.ts';
import { RehearsedDatagramPlace } from '../datagrams/rehearsed-datagram-place.ts';
import { bindOptionsOf } from '../internals/datagrams.ts';

/** Whether this process binds what it did not inherit. A cluster's worker has what its primary holds, and nothing else. */
export type Binding = 'binds' | 'inherits-only';

type TcpAddress = Extract<Address, { family: 'tcp' }>;

/**
 * Where each server of this process gets its place: in a listener of the predecessor's where that is what is asked for,
 * else in a new one.
 *
 * An address can change from one version to the next while the port stays. A wider one (127.0.0.1, then 0.0.0.0) is bound
 * beside the predecessor's, which is served too and goes along from then on: closing it would reset who waits in its
 * queue. A narrower one is bound beside it as well, and the wide one is closed when this process owns the service.
 */
export class PlaceChoice {
  readonly #inheritance: Inheritance | null;
  readonly #binding: Binding;
  /** What each listener was in the predecessor, where it comes from there. */
  readonly #former = new Map<ServerPlace, ManifestEntry>();
  readonly #chosen = new Set<Listener>();
  readonly #datagrams = new Set<DatagramListener>();

  constructor(inheritance: Inheritance | null, binding: Binding = 'binds') {
    this.#inheritance = inheritance;
    this.#binding = binding;
  }

  /**
   * The place of that name.
   *
   * @throws EADDRINUSE, with who has the port where that is this process or its predecessor;
   *   ERR_HANDOFF_DESCRIPTOR_MISMATCH where the predecessor's listener cannot be made what is asked for
   */
  async choose(name: string, address: WantedAddress, options: ListenerOptions): Promise<ServerPlace> {
    if (address.family === 'any') {
      const entry = this.#entryNamed(name);
      // Its path says where it is to be, if nobody can come by that any more.
      if (typeof entry.path !== 'string')
        return this.#place(name, {}, this.#inheritance?.take(entry.name) ?? null, options);
      return this.choose(name, { family: 'unix', path: entry.path }, options);
    }
    if (!isSupported()) return new PlainPlace(name, address, options.backlog);
    if (address.family === 'tcp') this.#checkOwn(address, options);
    const inherited = this.#inherit(name, address, options);
    if (inherited !== null || this.#inheritance?.rehearsed) return this.#place(name, address, inherited, options);
    const place = await this.#bindOrKeep(name, address, options);
    this.#chosen.add(place);
    return place;
  }

  /** A new one; where nobody comes by the path of the predecessor's, and no other can be bound there, that one after all. */
  async #bindOrKeep(name: string, address: Address, options: ListenerOptions): Promise<Listener> {
    try {
      return await this.#bind(name, address, options);
    } catch (error) {
      if (address.family !== 'unix') throw error;
      const lost = preferNamed(satisfying(this.#unclaimedListeners(), address), name);
      const inherited = lost === undefined ? null : (this.#inheritance?.take(lost.name) ?? null);
      if (inherited === null) throw error;
      if (this.#binding === 'binds') warnOfLostFile(address.path, error);
      return this.#adopt(name, inherited, options);
    }
  }

  /** The place that is inherited; or, in a rehearsal, one like it, or like the one that would be bound. */
  #place(name: string, wanted: BoundAddress, inherited: Inherited | null, options: ListenerOptions): ServerPlace {
    if (inherited === null || this.#inheritance?.rehearsed) {
      inherited?.descriptor.close();
      return new RehearsedPlace(name, wanted, inherited && boundBefore(inherited.entry));
    }
    const place = this.#adopt(name, inherited, options);
    this.#chosen.add(place);
    return place;
  }

  /** The same for a datagram socket; a new one is bound as `socket` was made. */
  async chooseForDatagrams(
    name: string,
    address: DatagramAddress,
    mode: number | undefined,
    socket: Socket,
  ): Promise<DatagramPlace> {
    if (!isSupported()) return new PlainDatagramPlace(name, address);
    const bound = (this.#inheritance?.unclaimed ?? []).filter(({ kind }) => kind === 'datagram');
    const fitting = this.#reachable(satisfying(bound, address));
    // By another name a port of the system's choice is somebody else's.
    const anonymous = address.family !== 'unix' && address.port === 0;
    const found = anonymous ? named(fitting, name) : preferNamed(fitting, name);
    const inherited = found === undefined ? null : (this.#inheritance?.take(found.name) ?? null);
    if (this.#inheritance?.rehearsed) {
      inherited?.descriptor.close();
      const before = inherited && boundBefore(inherited.entry);
      return RehearsedDatagramPlace.make(name, address, before, bindOptionsOf(socket));
    }
    const place =
      inherited === null
        ? await this.#bindForDatagrams(name, address, { mode, ...bindOptionsOf(socket) })
        : DatagramListener.adopt(name, inherited);
    this.#datagrams.add(place);
    return place;
  }

  /** As `#bindOrKeep()`. */
  async #bindForDatagrams(
    name: string,
    address: DatagramAddress,
    options: DatagramListenerOptions,
  ): Promise<DatagramListener> {
    try {
      return await DatagramListener.bind(name, address, options);
    } catch (error) {
      const bound = (this.#inheritance?.unclaimed ?? []).filter(({ kind }) => kind === 'datagram');
      const [lost] = address.family === 'unix' ? satisfying(bound, address) : [];
      const inherited = lost === undefined ? null : (this.#inheritance?.take(lost.name) ?? null);
      if (inherited === null || address.family !== 'unix') throw error;
      warnOfLostFile(address.path, error);
      return DatagramListener.adopt(name, inherited);
    }
  }

  /**
   * The predecessor's datagram sockets that have lost their file, each with the place that has another one at its path:
   * whoever is connected to one goes on sending to it.
   */
  takeDatagramCompanions(
    nameFor: (formerName: string) => string,
  ): { readonly of: DatagramListener; readonly companion: DatagramListener }[] {
    const outlived = (this.#inheritance?.unclaimed ?? [])
      .filter(({ kind }) => kind === 'datagram')
      .flatMap((entry) => this.#atPathOf(entry, this.#datagrams));
    return outlived.flatMap(({ entry, of, path }) => {
      const inherited = this.#inheritance?.take(entry.name) ?? null;
      if (inherited === null) return [];
      return [{ of, companion: DatagramListener.adopt(nameFor(entry.name), inherited, SocketFile.lost(path)) }];
    });
  }

  /** What the predecessor called this place; its own name where it is new. */
  formerName(place: ServerPlace): string {
    return this.#former.get(place)?.name ?? place.name;
  }

  /**
   * What nobody has registered and a place of this version covers: the rest of a group on one port, or a narrower
   * listener. Each with the place whose server is to serve it, so that nobody waits in its queue in vain; several places
   * with the same address share them evenly.
   *
   * @param nameFor makes a name of this process of the predecessor's
   * @param isReady tells the places that are to get theirs now
   */
  takeCompanions(
    nameFor: (formerName: string) => string,
    isReady: (place: ServerPlace) => boolean = () => true,
  ): { readonly of: ServerPlace; readonly companion: Listener }[] {
    const companions: { of: Listener; companion: Listener }[] = [];
    // Those that have lost their file are served too: by another name of it, or from another mount, clients still come.
    for (const { entry, of, path } of this.#unclaimedListeners().flatMap((one) => this.#atPathOf(one, this.#chosen))) {
      const inherited = isReady(of) ? this.#inheritance?.take(entry.name) : undefined;
      if (inherited == null) continue;
      const companion = this.#adopt(nameFor(entry.name), inherited, of.options, SocketFile.lost(path));
      companions.push({ of, companion });
    }
    for (const { entry, reach } of this.#unclaimed()) {
      const of = this.#whoCovers(reach, (place) => companions.filter((one) => one.of === place).length);
      const inherited = of !== undefined && isReady(of) ? this.#inheritance?.take(entry.name) : undefined;
      if (of === undefined || inherited == null) continue;
      companions.push({ of, companion: this.#adopt(nameFor(entry.name), inherited, of.options) });
    }
    return companions;
  }

  /** The predecessor's listeners that are wider than a place of this version, each with that place; borrowed. */
  narrowed(): { readonly place: ServerPlace; readonly listener: number }[] {
    return [...this.#chosen].flatMap((place) => {
      const { reach } = place;
      if (place.closed || reach === null) return [];
      return this.#unclaimedBeside(reach).map((listener) => ({ place, listener }));
    });
  }

  /** Gives a place back to the predecessor, where it came from there. Returns whether it did. */
  putBack(place: object): boolean {
    if (this.#inheritance === null || !(place instanceof Listener) || place.closed) return false;
    const entry = this.#former.get(place);
    if (entry === undefined) return false;
    this.#inheritance.putBack({ entry, descriptor: OwnedFd.dup(place.named.fd, `the descriptor "${entry.name}"`) });
    place.close();
    return true;
  }

  #adopt(
    name: string,
    { entry, descriptor }: Inherited,
    options: ListenerOptions,
    file = fileInManifest(entry),
  ): Listener {
    const listener = Listener.adopt(name, descriptor, options, file);
    listener.keeper = keeperOf(entry);
    this.#former.set(listener, entry);
    return listener;
  }

  /** The listener of that name, wherever it is. */
  #entryNamed(name: string): ManifestEntry {
    const entry = named(this.#unclaimedListeners(), name);
    if (entry === undefined) throw nobodyHas(name);
    return entry;
  }

  #unclaimedListeners(): ManifestEntry[] {
    return (this.#inheritance?.unclaimed ?? []).filter(isListener);
  }

  /** Those to which the path leads. A rehearsal binds nothing, and leaves it to the real start. */
  #reachable(entries: readonly ManifestEntry[]): ManifestEntry[] {
    if (this.#inheritance?.rehearsed) return [...entries];
    return entries.filter((entry) => (fileInManifest(entry)?.state() ?? 'there') === 'there');
  }

  /** The place at the path of `entry`, which came to have it because that leads to `entry` no more. */
  #atPathOf<Placed extends Listener | DatagramListener>(
    entry: ManifestEntry,
    places: ReadonlySet<Placed>,
  ): { entry: ManifestEntry; of: Placed; path: string }[] {
    const { path } = entry;
    if (typeof path !== 'string') return [];
    const of = [...places].find((place) => !place.closed && place.address.path === path);
    return of === undefined ? [] : [{ entry, of, path }];
  }

  async #bind(name: string, address: Address, options: ListenerOptions): Promise<Listener> {
    if (this.#binding === 'inherits-only') throw notHeld(name, address);
    const wanted = address.family === 'unix' ? null : reachWanted(address, options);
    if (address.family === 'unix' || wanted === null) return Listener.bind(name, address, options);
    const [inTheWay] = this.#unclaimed().filter(({ reach }) => overlaps(reach, wanted));
    const neighbours = () => [...this.#unclaimedBeside(wanted), ...this.#adoptedBeside(wanted)];
    try {
      return await Listener.bind(name, address, options, neighbours);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || inTheWay === undefined) throw error;
      throw addressInUse(
        address,
        `${this.#ofPredecessor(inTheWay.entry)} has the port, and the system lets no other be bound beside it: another user may have bound it, or a third process has the port, too. Keep the address, take another port, or end the predecessor and start afresh.`,
        error,
      );
    }
  }

  /**
   * The predecessor's listener: by name, or by address where this version calls it otherwise. One whose address is not
   * what is asked for is left alone, so that a wrong port is never served.
   */
  #inherit(name: string, address: Address, options: ListenerOptions): Inherited | null {
    const inheritance = this.#inheritance;
    if (inheritance === null) return null;
    const listeners = inheritance.unclaimed.filter(isListener);
    const found =
      address.family === 'tcp'
        ? this.#findPort(listeners, name, address, options)
        : preferNamed(this.#reachable(satisfying(listeners, address)), name);
    return found === undefined ? null : inheritance.take(found.name);
  }

  #findPort(
    listeners: readonly ManifestEntry[],
    name: string,
    address: TcpAddress,
    options: ListenerOptions,
  ): ManifestEntry | undefined {
    const find = (wanted: TcpAddress, which: 'named' | 'any') => {
      const fitting = satisfying(listeners, wanted).filter((entry) => takesAsMuch(entry, options));
      // By another name a port of the system's choice is somebody else's.
      return which === 'named' || wanted.port === 0 ? named(fitting, name) : preferNamed(fitting, name);
    };
    const exact = find(address, 'any');
    if (exact !== undefined) return exact;
    // Another address that the host's name stands for is what is meant only by this name: it may be asked for by itself.
    for (const other of address.otherAddresses ?? []) {
      const found = find({ ...address, address: other }, 'named');
      if (found !== undefined) return found;
    }
    this.#checkIPv6Only(listeners, address, options);
    // Where there is no IPv6, "every address" was bound as the IPv4 one.
    if (address.host !== null || options.ipv6Only || hasIPv6()) return undefined;
    return find({ ...address, address: '0.0.0.0' }, 'any');
  }

  /** IPV6_V6ONLY is fixed by bind(2), and of two on `::` the older gets the connections for as long as it is there. */
  #checkIPv6Only(listeners: readonly ManifestEntry[], address: TcpAddress, { ipv6Only }: ListenerOptions): void {
    if (!ipv6Only || address.address !== '::' || address.port === 0) return;
    const [dual] = satisfying(listeners, address);
    if (dual === undefined) return;
    throw new HandoffError(
      'ERR_HANDOFF_DESCRIPTOR_MISMATCH',
      `${this.#ofPredecessor(dual)} takes IPv4, too, and this version asks for ipv6Only: that cannot be changed of a listener that is bound, nor another be put in its place without a gap. Leave the option out, take another port, or end the predecessor and start afresh.`,
    );
  }

  /** What would fail at a fresh start fails here too, and not some day. */
  #checkOwn(address: TcpAddress, options: ListenerOptions): void {
    const wanted = reachWanted(address, options);
    if (wanted === null) return;
    for (const own of this.#chosen) {
      if (own.closed || own.reach === null || !overlaps(own.reach, wanted)) continue;
      if (own.options.reusePort && options.reusePort) continue;
      throw addressInUse(
        address,
        `This process listens on ${formatAddress(own.address)} already, with "${own.name}". Take another port, or give both reusePort.`,
      );
    }
  }

  /** The place that is to serve a listener of this reach: one of the same address, or else a wider one. */
  #whoCovers(reach: Reach, companionsOf: (place: Listener) => number): Listener | undefined {
    const open = [...this.#chosen].filter(({ closed }) => !closed);
    const same = open.filter((place) => place.reach?.address === reach.address && place.reach.port === reach.port);
    const wider = open.filter((place) => place.reach !== null && covers(place.reach, reach));
    const [first] = (same.length > 0 ? same : wider).sort((one, other) => companionsOf(one) - companionsOf(other));
    return first;
  }

  #unclaimed(): { entry: ManifestEntry; reach: Reach }[] {
    return (this.#inheritance?.unclaimed ?? []).flatMap((entry) => {
      const reach = isListener(entry) ? reachOf(entry as BoundAddress & { ipv6Only?: boolean }) : null;
      return reach === null ? [] : [{ entry, reach }];
    });
  }

  #unclaimedBeside(wanted: Reach): number[] {
    return this.#unclaimed()
      .filter(({ reach }) => overlaps(reach, wanted))
      .map(({ entry }) => this.#inheritance?.borrow(entry.name) ?? null)
      .filter((fd) => fd !== null);
  }

  #adoptedBeside(wanted: Reach): number[] {
    return [...this.#former.keys()]
      .filter((place) => place instanceof Listener)
      .filter(({ closed, reach }) => !closed && reach !== null && overlaps(reach, wanted))
      .map(({ named: { fd } }) => fd);
  }

  #ofPredecessor(entry: ManifestEntry): string {
    const predecessor = this.#inheritance?.predecessor;
    const owner = predecessor == null ? 'the service manager' : `process ${predecessor.pid}`;
    return `The listener "${entry.name}" (${formatAddress(entry as BoundAddress)}) of ${owner}`;
  }
}

/** One that a cluster's primary holds may not listen yet: its first worker has it do so. Only a listener has a backlog. */
export function isListener({ kind, backlog }: ManifestEntry): boolean {
  return kind === 'listener' || (kind === 'socket' && typeof backlog === 'number');
}

/** Whether clients come by it: a listener, or a datagram socket. */
export function isReceiving(entry: ManifestEntry): boolean {
  return isListener(entry) || entry.kind === 'datagram';
}

function satisfying(entries: readonly ManifestEntry[], wanted: Address | DatagramAddress): ManifestEntry[] {
  return entries.filter((entry) => satisfies(boundBefore(entry), wanted));
}

function named(entries: readonly ManifestEntry[], name: string): ManifestEntry | undefined {
  return entries.find((entry) => entry.name === name);
}

function preferNamed(entries: readonly ManifestEntry[], name: string): ManifestEntry | undefined {
  return named(entries, name) ?? entries[0];
}

/** Whether it takes IPv4 where that is asked for, and only then. Every address but `::` is of one family anyway. */
function takesAsMuch(entry: ManifestEntry, { ipv6Only }: ListenerOptions): boolean {
  return entry.address !== '::' || entry.ipv6Only === ipv6Only;
}

/** Null where the system chooses the port: that is nobody's yet. */
function reachWanted({ address, port }: TcpAddress, { ipv6Only }: ListenerOptions): Reach | null {
  return port === 0 ? null : reachOf({ address, port, ipv6Only });
}

/** The system's own error, with what it does not tell. */
function addressInUse({ address, port }: TcpAddress, advice: string, cause?: unknown): Error {
  const message = `bind EADDRINUSE: address already in use ${formatAddress({ address, port })}. ${advice}`;
  const system = { code: 'EADDRINUSE', errno: -constants.errno.EADDRINUSE, syscall: 'bind', address, port };
  return Object.assign(new Error(message, cause === undefined ? {} : { cause }), system);
}

function nobodyHas(name: string): Error {
  return Object.assign(
    new TypeError(
      `Neither a predecessor nor a service manager has a listener named "${name}", and there is no default to listen on: give "port" or "path" as well, or FileDescriptorName=${name} in the socket unit.`,
    ),
    { code: 'ERR_INVALID_ARG_VALUE' },
  );
}

function notHeld(name: string, address: Address): HandoffError {
  const where = address.family === 'unix' ? `path: '${address.path}'` : `port: ${address.port}`;
  return new HandoffError(
    'ERR_HANDOFF_REFUSED',
    `The cluster's primary holds no listener "${name}" at this address, and a worker binds none: call hold({ ${where} }) there before workers().`,
  );
}
