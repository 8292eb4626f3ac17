import type { Server } from 'node:net';
import { describe } from '../../fd/describe.ts';
import { close } from '../../fd/descriptor.ts';
import { OwnedFd } from '../../fd/owned-fd.ts';
import { bindTcp, listen } from '../../fd/socket.ts';
import type { NamedDescriptor } from '../../transaction/manifest.ts';
import { applyFileRights, type FileRights } from '../../transaction/path/file-rights.ts';
import type { SocketFile } from '../../transaction/path/socket-file.ts';
import { listenOn, setUnixAddress } from '../internals/listening.ts';
import { serveTaken, takeQueue } from './accept-queue.ts';
import type { Address } from './address.ts';
import { BoundSocket, bindPath, boundAddress, fileOf } from './bound-socket.ts';
import type { Place } from './place.ts';
import { portError } from './port-error.ts';
import { type Reach, reachOf } from './reach.ts';
import { sharePort, whilePortIsShared } from './shared-port.ts';

/** Node's default: the kernel caps it at net.core.somaxconn (4096 on Linux since 5.4). */
export const defaultBacklog = 511;

export interface ListenerOptions extends FileRights {
  readonly backlog: number;
  readonly ipv6Only: boolean;
  readonly reusePort: boolean;
}

/** Where a server accepts. */
export interface ServerPlace extends Place<Server> {
  /** Who connects waits in the kernel's queue from now on, where nobody accepts yet. */
  listen(): void;
  /** Lets go of it in this process; `server` gets who waits in the queue, where nobody else may accept from it. */
  close(server?: Server): void;
  /** Lets go of it for good, as nobody is to inherit it; `server` gets who waits in the queue. */
  remove(server?: Server): void;
  /** Binds what was let go of again, at the same address. */
  reopen(): Promise<void>;
}

/** The listeners beside which a new one is bound: those that share connections with it. Borrowed. */
export type Neighbours = () => readonly number[];

const alone: Neighbours = () => [];

/** A bound, listening socket under a name; the backlog asked for is the one used. */
export class Listener extends BoundSocket implements ServerPlace {
  readonly options: ListenerOptions;
  /** Null for one that is not of TCP. */
  readonly reach: Reach | null;
  readonly #neighbours: Neighbours;

  private constructor(
    name: string,
    descriptor: OwnedFd,
    options: ListenerOptions,
    origin: { readonly inherited: boolean; readonly neighbours: Neighbours; readonly file: SocketFile | null },
  ) {
    super(name, descriptor, origin.inherited, origin.file);
    this.options = options;
    this.#neighbours = origin.neighbours;
    const description = describe(descriptor.fd);
    this.reach = description.kind === 'socket' ? reachOf(description) : null;
  }

  /** One that came from the predecessor; `descriptor` is taken over. */
  static adopt(
    name: string,
    descriptor: OwnedFd,
    options: ListenerOptions,
    file: SocketFile | null = fileOf(boundAddress(descriptor.fd)),
  ): Listener {
    return new Listener(name, descriptor, options, { inherited: true, neighbours: alone, file });
  }

  /**
   * A new one, listening from now on: who connects waits in the kernel's queue until somebody accepts. One beside others
   * that serve the port listens only when it is accepted on: until then the connections are theirs, and none is lost
   * where this process fails before that.
   */
  static override async bind(
    name: string,
    address: Address,
    options: ListenerOptions,
    neighbours: Neighbours = alone,
  ): Promise<Listener> {
    const descriptor =
      address.family === 'unix' ? await bindFile(address.path, options) : bindPort(address, options, neighbours());
    const file = address.family === 'unix' ? fileOf(address) : null;
    return new Listener(name, descriptor, options, { inherited: false, neighbours, file });
  }

  get named(): NamedDescriptor {
    return { name: this.name, fd: this.fd, notes: { backlog: this.options.backlog, ...this.fileNotes } };
  }

  listen(): void {
    whilePortIsShared(this.#neighbours(), () => listen(this.fd, this.options.backlog));
  }

  attach(server: Server): void {
    // Ours comes first, because it is certain to be done when it returns.
    this.listen();
    this.lend((fd) => listenOn(server, fd, this.options.backlog));
    if (this.address.path !== undefined) setUnixAddress(server, this.address.path);
  }

  /**
   * What must not be done to a shared listener before this process owns it: a socket file gets the mode and the owner
   * that this version was given, and a port can be shared from now on where this version shares it.
   *
   * @throws what chmod(2) and lchown(2) say; the listener is served on as it was
   */
  claim(): void {
    const { reusePort } = this.options;
    if (this.address.path !== undefined) {
      // What somebody else has put there is not to be changed.
      if (this.isReachable) applyFileRights(this.address.path, this.options);
    }
    // An inherited group stays one: without the option its members would get no equal part of the connections.
    else if (reusePort || !this.inherited) sharePort(this.fd, reusePort);
  }

  override reassert(): void {
    super.reassert();
    // A successor may have had another backlog, which was applied before it failed.
    const description = describe(this.fd);
    if (description.kind === 'socket' && description.listening) listen(this.fd, this.options.backlog);
  }

  override close(server?: Server): void {
    if (this.closed) return;
    // One more than the backlog is what the kernel queues.
    const queued = server === undefined ? [] : takeQueue(this.fd, this.options.backlog + 1);
    super.close();
    if (server !== undefined) serveTaken(server, queued);
  }

  override remove(server?: Server): void {
    try {
      // First the file, so that nobody more comes by it.
      this.removeFile();
    } finally {
      this.close(server);
    }
  }

  /**
   * Another one at its path, under `name`, where nobody can come to this one by that any more; null where they can. This one
   * stays: by another name of its file, or from another mount, they may.
   *
   * @throws ERR_HANDOFF_ALREADY_OWNED where somebody else has the path, and what binding throws
   */
  async another(name: string): Promise<Listener | null> {
    const { path } = this.address;
    if (this.closed || this.isReachable || path === undefined) return null;
    return Listener.bind(name, { family: 'unix', path }, this.options);
  }

  async reopen(): Promise<void> {
    if (!this.closed) return;
    const { path, address, port } = this.address;
    if (path !== undefined) {
      this.replace(await bindFile(path, this.options));
    } else if (address !== undefined && port !== undefined) {
      const where = { family: 'tcp', host: address, address, port } as const;
      const ipv6Only = this.reach?.ipv6Only ?? false;
      this.replace(bindPort(where, { ...this.options, ipv6Only }, []));
    }
  }
}

/** Whether this machine can bind to IPv6 addresses. */
export function hasIPv6(): boolean {
  try {
    close(bindTcp('::', 0));
    return true;
  } catch (error) {
    if (isWithoutIPv6(error)) return false;
    throw error;
  }
}

function bindFile(path: string, { backlog, mode, owner }: ListenerOptions): Promise<OwnedFd> {
  return bindPath(path, { backlog, mode, owner });
}

function bindPort(
  { host, address, port }: Extract<Address, { family: 'tcp' }>,
  { backlog, ipv6Only, reusePort }: ListenerOptions,
  neighbours: readonly number[],
): OwnedFd {
  const shared = reusePort || neighbours.length > 0;
  const options = { ipv6Only, reusePort: shared };
  const bound = orPortError(address, port, () =>
    whilePortIsShared(neighbours, () => bindAnyFamily(host, address, port, options)),
  );
  const descriptor = new OwnedFd(bound, `the listener ${port}`);
  try {
    // From its first moment a member of a group gets its part of the connections, which would wait here until `ready()`.
    if (!shared) orPortError(address, port, () => listen(descriptor.fd, backlog));
    return descriptor;
  } catch (error) {
    descriptor.close();
    throw error;
  }
}

function orPortError<Result>(address: string, port: number, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    throw portError(error, 'tcp', address, port);
  }
}

function bindAnyFamily(
  host: string | null,
  address: string,
  port: number,
  options: { ipv6Only: boolean; reusePort: boolean },
): number {
  try {
    return bindTcp(address, port, options);
  } catch (error) {
    // As Node does: without IPv6 on this machine, "every address" is the IPv4 one.
    if (host === null && !options.ipv6Only && isWithoutIPv6(error)) return bindTcp('0.0.0.0', port, options);
    throw error;
  }
}

function isWithoutIPv6(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';
}
