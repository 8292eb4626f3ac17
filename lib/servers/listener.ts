import type { Server } from 'node:net';
import { OwnedFd } from '../fd/owned-fd.ts';
import { bindTcp, listen } from '../fd/socket.ts';
import type { NamedDescriptor } from '../handoff/manifest.ts';
import type { Address } from './address.ts';
import { BoundSocket, bindPath } from './bound-socket.ts';
import { listenOn, setUnixAddress } from './internals.ts';
import type { Place } from './place.ts';

/** Node's default: the kernel caps it at net.core.somaxconn (4096 on Linux since 5.4). */
export const defaultBacklog = 511;

export interface ListenerOptions {
  readonly backlog: number;
  readonly mode: number | undefined;
  readonly ipv6Only: boolean;
  readonly reusePort: boolean;
}

/** A bound, listening socket under a name; the backlog asked for is the one used. */
export class Listener extends BoundSocket implements Place {
  readonly backlog: number;

  private constructor(name: string, descriptor: OwnedFd, backlog: number, inherited: boolean) {
    super(name, descriptor, inherited);
    this.backlog = backlog;
  }

  /** One that came from the predecessor; `descriptor` is taken over. */
  static adopt(name: string, descriptor: OwnedFd, backlog: number): Listener {
    return new Listener(name, descriptor, backlog, true);
  }

  /** A new one, listening from now on: who connects waits in the kernel's queue until somebody accepts. */
  static override async bind(name: string, address: Address, options: ListenerOptions): Promise<Listener> {
    const { backlog, mode } = options;
    const descriptor =
      address.family === 'unix' ? await bindPath(address.path, { backlog, mode }) : bindPort(address, options);
    return new Listener(name, descriptor, backlog, false);
  }

  get named(): NamedDescriptor {
    return { name: this.name, fd: this.fd, notes: { backlog: this.backlog } };
  }

  attach(server: Server): void {
    this.lend((fd) => listenOn(server, fd, this.backlog));
    if (this.address.path !== undefined) setUnixAddress(server, this.address.path);
  }
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
