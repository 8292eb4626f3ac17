import { type Address, type BoundAddress, whereOf } from './address.ts';
import type { ServerPlace } from './listener.ts';

/** A place in a rehearsal: it has an address, and nobody listens there. */
export class RehearsedPlace implements ServerPlace {
  readonly name: string;
  readonly inherited: boolean;
  readonly closed = false;
  readonly address: BoundAddress;

  /**
   * @param wanted what was asked for. Port 0 stays 0 where the predecessor has none: which one it will be nobody knows
   * @param bound where the predecessor's listener is; null where a new one would be bound
   */
  constructor(name: string, wanted: Address | BoundAddress, bound: BoundAddress | null) {
    this.name = name;
    this.inherited = bound !== null;
    this.address = whereOf(bound ?? wanted);
  }

  attach(): never {
    throw new Error(`the place "${this.name}" of a rehearsal cannot be served`);
  }

  // Nothing is held.
  listen(): void {}

  close(): void {}

  remove(): void {}

  async reopen(): Promise<void> {}
}
