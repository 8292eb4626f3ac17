import type { Socket } from 'node:dgram';
import { HandoffError } from '../fd/handoff-error.ts';
import { isSupported } from '../fd/native.ts';
import type { Inheritance } from '../handoff/inheritance.ts';
import type { Inherited } from '../handoff/manifest.ts';
import { type Address, type DatagramAddress, satisfies } from './address.ts';
import { boundBefore, DatagramListener, type DatagramPlace } from './datagram-listener.ts';
import { bindOptionsOf } from './internals.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import type { Place } from './place.ts';
import { PlainDatagramPlace } from './plain-datagram-place.ts';
import { PlainPlace } from './plain-place.ts';

/** Whether this process binds what it did not inherit. A cluster's worker has what its primary holds, and nothing else. */
export type Binding = 'binds' | 'inherits-only';

/** Where each server and datagram socket of this process gets its place: in a listener of the predecessor's, or in a new one. */
export class PlaceChoice {
  readonly #inheritance: Inheritance | null;
  readonly #binding: Binding;
  /** What the predecessor called a listener that has another name here. */
  readonly #formerNames = new Map<string, string>();

  constructor(inheritance: Inheritance | null, binding: Binding) {
    this.#inheritance = inheritance;
    this.#binding = binding;
  }

  /** The place of that name: the predecessor's listener where it is what is asked for, else a new one. */
  async choose(name: string, address: Address, options: ListenerOptions): Promise<Place> {
    if (!isSupported()) return new PlainPlace(name, address, options.backlog);
    const inherited = this.#inherit(name, address, 'listener');
    if (inherited === null) {
      if (this.#binding === 'inherits-only') throw notHeld(name, address);
      return Listener.bind(name, address, options);
    }
    this.#formerNames.set(name, inherited.entry.name);
    return Listener.adopt(name, inherited.descriptor, options.backlog);
  }

  /** The same for a datagram socket; a new one is bound as `socket` was made. */
  async chooseForDatagrams(
    name: string,
    address: DatagramAddress,
    mode: number | undefined,
    socket: Socket,
  ): Promise<DatagramPlace> {
    if (!isSupported()) return new PlainDatagramPlace(name, address);
    const inherited = this.#inherit(name, address, 'datagram');
    if (inherited !== null) return DatagramListener.adopt(name, inherited);
    return DatagramListener.bind(name, address, { mode, ...bindOptionsOf(socket) });
  }

  /** What the predecessor called the listener that has this name here. */
  formerName(name: string): string {
    return this.#formerNames.get(name) ?? name;
  }

  /**
   * The predecessor's listener: by name, or by address where this version calls it otherwise. One whose address is not
   * what is asked for is left alone, so that a wrong port is never served.
   */
  #inherit(name: string, address: Address | DatagramAddress, kind: 'listener' | 'datagram'): Inherited | null {
    const inheritance = this.#inheritance;
    if (inheritance === null) return null;
    const fitting = inheritance.unclaimed.filter(
      (entry) => entry.kind === kind && satisfies(boundBefore(entry), address),
    );
    const named = fitting.find((entry) => entry.name === name);
    const anonymous = address.family !== 'unix' && address.port === 0;
    const found = named ?? (anonymous ? undefined : fitting[0]);
    return found === undefined ? null : inheritance.take(found.name);
  }
}

function notHeld(name: string, address: Address): HandoffError {
  const where = address.family === 'unix' ? `path: '${address.path}'` : `port: ${address.port}`;
  return new HandoffError(
    'ERR_HANDOFF_REFUSED',
    `The cluster's primary holds no listener "${name}" at this address, and a worker binds none: call hold({ ${where} }) there before workers().`,
  );
}
