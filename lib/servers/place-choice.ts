import { isSupported } from '../fd/native.ts';
import type { Inheritance } from '../handoff/inheritance.ts';
import type { Inherited } from '../handoff/manifest.ts';
import { type Address, type BoundAddress, satisfies } from './address.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import type { Place } from './place.ts';
import { PlainPlace } from './plain-place.ts';

/** Where each server of this process gets its place: in a listener of the predecessor's, or in a new one. */
export class PlaceChoice {
  readonly #inheritance: Inheritance | null;
  /** What the predecessor called a listener that has another name here. */
  readonly #formerNames = new Map<string, string>();

  constructor(inheritance: Inheritance | null) {
    this.#inheritance = inheritance;
  }

  /** The place of that name: the predecessor's listener where it is what is asked for, else a new one. */
  async choose(name: string, address: Address, options: ListenerOptions): Promise<Place> {
    if (!isSupported()) return new PlainPlace(name, address, options.backlog);
    const inherited = this.#inherit(name, address);
    if (inherited === null) return Listener.bind(name, address, options);
    this.#formerNames.set(name, inherited.entry.name);
    return Listener.adopt(name, inherited.descriptor, options.backlog);
  }

  /** What the predecessor called the listener that has this name here. */
  formerName(name: string): string {
    return this.#formerNames.get(name) ?? name;
  }

  /**
   * The predecessor's listener: by name, or by address where this version calls it otherwise. One whose address is not
   * what is asked for is left alone, so that a wrong port is never served.
   */
  #inherit(name: string, address: Address): Inherited | null {
    const inheritance = this.#inheritance;
    if (inheritance === null) return null;
    const fitting = inheritance.unclaimed.filter(
      (entry) => entry.kind === 'listener' && satisfies(entry as BoundAddress, address),
    );
    const named = fitting.find((entry) => entry.name === name);
    const anonymous = address.family === 'tcp' && address.port === 0;
    const found = named ?? (anonymous ? undefined : fitting[0]);
    return found === undefined ? null : inheritance.take(found.name);
  }
}
