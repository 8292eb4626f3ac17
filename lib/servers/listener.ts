import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { Deadline } from '../channel/deadline.ts';
import { describe } from '../fd/describe.ts';
import { setNonBlocking } from '../fd/descriptor.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import { bindTcp, listen } from '../fd/socket.ts';
import { claimUnixPath, unlinkWhileHeld } from '../handoff/control-path.ts';
import type { NamedDescriptor } from '../handoff/manifest.ts';
import { type Address, type BoundAddress, formatAddress } from './address.ts';
import { setUnixAddress } from './internals.ts';

/** Node's default: the kernel caps it at net.core.somaxconn (4096 on Linux since 5.4). */
export const defaultBacklog = 511;

/**
 * How long the folder of a socket path may stay locked by another start. The lock is held for the few system calls
 * between a look at the old file and listen(2); ten seconds say that something else locks that folder.
 */
const lockTimeout = 10_000;

export interface ListenerOptions {
  readonly backlog: number;
  readonly mode: number | undefined;
  readonly ipv6Only: boolean;
  readonly reusePort: boolean;
}

/** Where a server accepts. */
export interface Place {
  readonly name: string;
  readonly address: BoundAddress;
  readonly inherited: boolean;
  /** Whether it was let go of: nobody can accept here any more. */
  readonly closed: boolean;
  /** Makes `server` accept here: it emits 'listening' or 'error'. */
  attach(server: Server): void;
  /** Lets go of it in this process. */
  close(): void;
  /** Lets go of it for good: nobody is to inherit it. */
  remove(): void;
}

/**
 * A bound, listening socket under a name. It is bound by the addon and not by Node, so that closing a Node server never
 * unlinks its path, and the backlog asked for is the one used.
 */
export class Listener implements Place {
  readonly name: string;
  readonly inherited: boolean;
  readonly backlog: number;
  readonly #address: BoundAddress;
  #descriptor: OwnedFd;

  private constructor(name: string, descriptor: OwnedFd, backlog: number, inherited: boolean) {
    this.name = name;
    this.inherited = inherited;
    this.backlog = backlog;
    this.#descriptor = descriptor;
    this.#address = boundAddress(descriptor.fd);
  }

  /** One that came from the predecessor; `descriptor` is taken over. */
  static adopt(name: string, descriptor: OwnedFd, backlog: number): Listener {
    return new Listener(name, descriptor, backlog, true);
  }

  /** A new one, listening from now on: who connects waits in the kernel's queue until somebody accepts. */
  static async bind(name: string, address: Address, options: ListenerOptions): Promise<Listener> {
    const descriptor = address.family === 'unix' ? await bindPath(address.path, options) : bindPort(address, options);
    return new Listener(name, descriptor, options.backlog, false);
  }

  get address(): BoundAddress {
    return this.#address;
  }

  /** For the manifest; borrowed. */
  get named(): NamedDescriptor {
    return { name: this.name, fd: this.#descriptor.fd, notes: { backlog: this.backlog } };
  }

  attach(server: Server): void {
    // A copy: the same descriptor twice in one event loop is EEXIST, and Node closes what it was given.
    const copy = this.#descriptor.dup();
    try {
      // The backlog by position: `options.backlog` is ignored with a descriptor, and 511 set for all who share it.
      server.listen({ fd: copy.fd }, this.backlog);
      copy.release();
    } catch (error) {
      copy.close();
      throw error;
    }
    if (this.#address.path !== undefined) setUnixAddress(server, this.#address.path);
  }

  /** Undoes what a successor may have done to the open file description that it shares with this process. */
  reassert(): void {
    // One that was made blocking would make our own accept(2) block (tableflip#60).
    setNonBlocking(this.#descriptor.fd, true);
  }

  get closed(): boolean {
    return this.#descriptor.closed;
  }

  /** Closes this process's copy; others that share the listener are served on. */
  close(): void {
    this.#descriptor.close();
  }

  /** Closes a listener that nobody is to inherit: its socket file goes too, while it is still certain whose it is. */
  remove(): void {
    try {
      if (this.#address.path !== undefined) unlinkWhileHeld(this.#address.path, this.#descriptor);
    } finally {
      this.close();
    }
  }
}

/** The address that the kernel gives for a socket. */
export function boundAddress(fd: number): BoundAddress {
  const description = describe(fd);
  if (description.kind !== 'socket') return {};
  const { address, port, path } = description;
  return {
    ...(address === undefined ? {} : { address }),
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path }),
  };
}

function bindPort(
  { host, address, port }: Extract<Address, { family: 'tcp' }>,
  { backlog, ipv6Only, reusePort }: ListenerOptions,
): OwnedFd {
  const descriptor = new OwnedFd(bindAnyFamily(host, address, port, { ipv6Only, reusePort }), `the listener ${port}`);
  try {
    listen(descriptor.fd, backlog);
    return descriptor;
  } catch (error) {
    descriptor.close();
    throw error;
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
    const { code } = error as NodeJS.ErrnoException;
    // As Node does: without IPv6 on this machine, "every address" is the IPv4 one.
    if (host === null && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL'))
      return bindTcp('0.0.0.0', port, options);
    throw error;
  }
}

async function bindPath(path: string, { backlog, mode }: ListenerOptions): Promise<OwnedFd> {
  using deadline = Deadline.after(lockTimeout, `The folder ${dirname(path)} was not unlocked`);
  const descriptor = await claimUnixPath(path, { backlog, ...(mode === undefined ? {} : { mode }) }, deadline.signal);
  if (descriptor !== null) return descriptor;
  throw new HandoffError(
    'ERR_HANDOFF_ALREADY_OWNED',
    `Another process listens on ${formatAddress({ path })}: stop it, take over from it, or give another path.`,
  );
}
