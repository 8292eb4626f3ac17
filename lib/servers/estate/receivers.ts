import type { Socket } from 'node:dgram';
import type { Service } from '../binding/place.ts';
import type { DatagramListener, DatagramPlace } from '../datagrams/datagram-listener.ts';
import { Receiver } from '../datagrams/receiver.ts';

/** A socket that has lost its file, for the one that has another at its path. */
export interface Outlived {
  readonly of: DatagramListener;
  readonly companion: DatagramListener;
}

/** The datagram sockets of this process, by their names. */
export class Receivers {
  readonly #receivers = new Map<string, Receiver>();
  readonly #expected: Outlived[] = [];
  readonly #onForgotten: (name: string) => void;

  /** @param onForgotten is told the name of one that somebody has closed */
  constructor(onForgotten: (name: string) => void) {
    this.#onForgotten = onForgotten;
  }

  get all(): readonly Receiver[] {
    return [...this.#receivers.values()];
  }

  placeOf(name: string): DatagramPlace | undefined {
    return this.#receivers.get(name)?.place;
  }

  /** Has `socket` receive at a place, not yet. */
  async open(socket: Socket, place: DatagramPlace, name: string): Promise<Receiver> {
    const receiver = await Receiver.open(socket, place, () => this.#forget(name));
    this.#receivers.set(name, receiver);
    return receiver;
  }

  /** Has the socket of a place receive in another one at its path as well. */
  async openBeside(of: DatagramListener, companion: DatagramListener): Promise<void> {
    const socket = this.all.find(({ place }) => place === of)?.socket;
    if (socket === undefined) return companion.close();
    const receiver = await Receiver.beside(socket, companion, () => this.#forget(companion.name));
    this.#receivers.set(companion.name, receiver);
  }

  /** Those are to be opened as well, when this process accepts. */
  expect(outlived: readonly Outlived[]): void {
    this.#expected.push(...outlived);
  }

  async openExpected(): Promise<void> {
    for (const { of, companion } of this.#expected.splice(0)) await this.openBeside(of, companion);
  }

  async accept(): Promise<void> {
    for (const receiver of this.all) await receiver.accept();
  }

  /** Receives where that is not so, for that reason. Returns what could not. */
  async acceptWhere(service: Service): Promise<Error[]> {
    const failures: Error[] = [];
    for (const receiver of this.all) {
      if (receiver.place.closed || receiver.service !== service) continue;
      await receiver.accept().catch((error: Error) => failures.push(error));
    }
    return failures;
  }

  #forget(name: string): void {
    if (this.#receivers.delete(name)) this.#onForgotten(name);
  }
}
