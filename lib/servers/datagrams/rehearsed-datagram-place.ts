import type { Socket } from 'node:dgram';
import { unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createToken } from '../../channel/token.ts';
import { type BoundAddress, type DatagramAddress, whereOf } from '../binding/address.ts';
import { DatagramListener, type DatagramListenerOptions, type DatagramPlace } from './datagram-listener.ts';

/**
 * A place in a rehearsal: it has the address that the real one would have. A datagram socket is bound at once and can be
 * configured then, so that it needs one in truth: it gets one of its own on this machine, which nobody knows.
 */
export class RehearsedDatagramPlace implements DatagramPlace {
  readonly name: string;
  readonly inherited: boolean;
  readonly address: BoundAddress;
  readonly peer = null;
  readonly #standIn: DatagramListener;

  private constructor(name: string, standIn: DatagramListener, address: BoundAddress, inherited: boolean) {
    this.name = name;
    this.inherited = inherited;
    this.address = address;
    this.#standIn = standIn;
  }

  /** @param bound where the predecessor's socket is; null where a new one would be bound */
  static async make(
    name: string,
    wanted: DatagramAddress,
    bound: BoundAddress | null,
    options: Omit<DatagramListenerOptions, 'mode'>,
  ): Promise<RehearsedDatagramPlace> {
    const stage = harmless(wanted);
    const standIn = await DatagramListener.bind(name, stage, { ...options, mode: 0o600 });
    if (stage.family === 'unix') unlinkSync(stage.path);
    return new RehearsedDatagramPlace(name, standIn, whereOf(bound ?? wanted), bound !== null);
  }

  get closed(): boolean {
    return this.#standIn.closed;
  }

  attach(socket: Socket): void {
    this.#standIn.attach(socket);
  }

  close(): void {
    this.#standIn.close();
  }

  remove(): void {
    this.close();
  }
}

function harmless({ family }: DatagramAddress): DatagramAddress {
  if (family === 'unix') return { family, path: join(tmpdir(), `fd-handoff-${createToken()}`) };
  const address = family === 'udp4' ? '127.0.0.1' : '::1';
  return { family, host: address, address, port: 0 };
}
