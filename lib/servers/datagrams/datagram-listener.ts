import type { Socket } from 'node:dgram';
import { describe } from '../../fd/describe.ts';
import { OwnedFd } from '../../fd/owned-fd.ts';
import { getReuse, setReuse } from '../../fd/reuse.ts';
import { bindUdp } from '../../fd/socket.ts';
import { keeperOf } from '../../transaction/keeper.ts';
import type { Inherited, ManifestEntry, NamedDescriptor } from '../../transaction/manifest.ts';
import type { BoundAddress, DatagramAddress } from '../binding/address.ts';
import { BoundSocket, bindPath, fileInManifest, fileOf } from '../binding/bound-socket.ts';
import type { Place } from '../binding/place.ts';
import { portError } from '../binding/port-error.ts';
import { bindToUnixSocket, setConnected } from '../internals/datagrams.ts';

/** Where a datagram socket receives. */
export interface DatagramPlace extends Place<Socket> {
  /** Whom it is connected to; null where nobody has connected it. */
  readonly peer: BoundAddress | null;
}

export interface DatagramListenerOptions {
  readonly mode: number | undefined;
  readonly ipv6Only: boolean;
  readonly reuseAddress: boolean;
  readonly reusePort: boolean;
}

/** A bound datagram socket under a name. What comes waits in its buffer until somebody receives. */
export class DatagramListener extends BoundSocket implements DatagramPlace {
  /** One that came from the predecessor; the descriptor is taken over. */
  static adopt(name: string, { entry, descriptor }: Inherited, file = fileInManifest(entry)): DatagramListener {
    const listener = new DatagramListener(name, descriptor, true, file, boundBefore(entry));
    listener.keeper = keeperOf(entry);
    return listener;
  }

  /** A new one. */
  static override async bind(
    name: string,
    address: DatagramAddress,
    { mode, ...options }: DatagramListenerOptions,
  ): Promise<DatagramListener> {
    const descriptor =
      address.family === 'unix'
        ? await bindPath(address.path, { type: 'datagram', mode })
        : bindPort(address.address, address.port, options);
    return new DatagramListener(name, descriptor, false, address.family === 'unix' ? fileOf(address) : null);
  }

  /** As `Listener.another()`. */
  async another(name: string): Promise<DatagramListener | null> {
    const { path } = this.address;
    if (this.closed || this.isReachable || path === undefined) return null;
    const options = { mode: undefined, ipv6Only: false, reuseAddress: false, reusePort: false };
    return DatagramListener.bind(name, { family: 'unix', path }, options);
  }

  /** The connection of a datagram socket belongs to the socket: it goes over with it. */
  get peer(): BoundAddress | null {
    const description = describe(this.fd);
    return (description.kind === 'socket' && description.peer) || null;
  }

  get named(): NamedDescriptor {
    const { address } = this.address;
    const notes = { ...this.fileNotes, ...(address === undefined ? {} : { boundTo: address }) };
    return { name: this.name, fd: this.fd, ...(Object.keys(notes).length === 0 ? {} : { notes }) };
  }

  attach(socket: Socket): void {
    if (this.peer !== null) setConnected(socket);
    const boundByItself = isBound(socket);
    const reuse = getReuse(this.fd);
    const thrown: unknown[] = [];
    this.lend((fd) => {
      try {
        if (this.address.path !== undefined) bindToUnixSocket(socket, fd);
        // Exclusive: else a worker of node:cluster would send the number to the primary.
        else socket.bind({ fd, exclusive: true });
      } catch (error) {
        // A listener of 'listening' has thrown: by then Node has the descriptor, and will close it.
        if (boundByItself || !isBound(socket)) throw error;
        thrown.push(error);
      } finally {
        // uv_udp_open sets SO_REUSEADDR (macOS: SO_REUSEPORT): any other process could bind to the port and take over.
        setReuse(this.fd, reuse);
      }
    });
    if (thrown.length > 0) throw thrown[0];
  }
}

function bindPort(address: string, port: number, options: Omit<DatagramListenerOptions, 'mode'>): OwnedFd {
  try {
    return new OwnedFd(bindUdp(address, port, options), `the datagram socket ${port}`);
  } catch (error) {
    throw portError(error, 'udp', address, port);
  }
}

/** Where a socket of the manifest was bound: of a datagram socket the kernel tells another address once it is connected. */
export function boundBefore(entry: ManifestEntry): BoundAddress {
  const { address, port, path, boundTo } = entry as ManifestEntry & BoundAddress;
  if (path !== undefined) return { path };
  return { address: typeof boundTo === 'string' ? boundTo : address, port } as BoundAddress;
}

/** Whether a socket has a descriptor. */
export function isBound(socket: Socket): boolean {
  try {
    socket.address();
    return true;
  } catch {
    return false;
  }
}
