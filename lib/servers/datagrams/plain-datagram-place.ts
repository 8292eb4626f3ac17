import type { Socket } from 'node:dgram';
import { HandoffError } from '../../fd/handoff-error.ts';
import type { BoundAddress, DatagramAddress } from '../binding/address.ts';
import type { DatagramPlace } from './datagram-listener.ts';

/** A place to which Node binds a datagram socket by itself, for platforms on which no descriptor can be handed over. */
export class PlainDatagramPlace implements DatagramPlace {
  readonly name: string;
  readonly inherited = false;
  readonly closed = false;
  readonly peer = null;
  readonly #address: Exclude<DatagramAddress, { family: 'unix' }>;
  #socket: Socket | null = null;

  /** @throws ERR_HANDOFF_UNSUPPORTED_PLATFORM for a path: there are no Unix datagram sockets either */
  constructor(name: string, address: DatagramAddress) {
    if (address.family === 'unix') {
      throw new HandoffError(
        'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
        `There are no Unix datagram sockets on ${process.platform}: give a port instead of ${address.path}.`,
      );
    }
    this.name = name;
    this.#address = address;
  }

  get address(): BoundAddress {
    const { address, port } = this.#socket?.address() ?? this.#address;
    return { address, port };
  }

  attach(socket: Socket): void {
    const { address, port } = this.#address;
    socket.once('listening', () => {
      this.#socket = socket;
    });
    socket.bind({ address, port, exclusive: true });
  }

  // The socket holds it.
  close(): void {}

  remove(): void {}
}
