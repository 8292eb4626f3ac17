import type { Server } from 'node:net';
import type { Address, BoundAddress } from './address.ts';
import type { ServerPlace } from './listener.ts';

/**
 * A place that Node binds by itself, for platforms on which no descriptor can be handed over: a development machine with
 * Windows still runs the program. It is bound when the server starts to accept, not before.
 */
export class PlainPlace implements ServerPlace {
  readonly name: string;
  readonly inherited = false;
  readonly closed = false;
  readonly #address: Address;
  readonly #backlog: number;
  #server: Server | null = null;

  constructor(name: string, address: Address, backlog: number) {
    this.name = name;
    this.#address = address;
    this.#backlog = backlog;
  }

  get address(): BoundAddress {
    const bound = this.#server?.address() ?? null;
    if (typeof bound === 'string') return { path: bound };
    if (bound !== null) return { address: bound.address, port: bound.port };
    if (this.#address.family === 'unix') return { path: this.#address.path };
    return { address: this.#address.address, port: this.#address.port };
  }

  attach(server: Server): void {
    this.#server = server;
    const backlog = this.#backlog;
    if (this.#address.family === 'unix') server.listen({ path: this.#address.path, backlog });
    else if (this.#address.host === null) server.listen({ port: this.#address.port, backlog });
    else server.listen({ host: this.#address.address, port: this.#address.port, backlog });
  }

  listen(): void {}

  // The server holds it, and lets go of it when it stops accepting.
  close(): void {}

  remove(): void {}

  async reopen(): Promise<void> {}
}
