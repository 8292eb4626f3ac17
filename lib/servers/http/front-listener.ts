import type { Server } from 'node:http';
import { isReadByHttpFirst } from '../internals/http.ts';

/**
 * A listener of the application that reads a connection before HTTP does, as packages for the PROXY protocol have: it
 * expects at the start of a connection what a client says only once.
 */
export class FrontListener {
  /** What the server's place is called. */
  name = '';
  readonly #server: Server;
  #told = false;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Whether there is one. */
  get present(): boolean {
    return !isReadByHttpFirst(this.#server);
  }

  /** Says, once in this process, that no connection moves because of it. */
  warn(): void {
    if (this.#told) return;
    this.#told = true;
    process.emitWarning(
      `Something reads the connections of the listener "${this.name}" before HTTP does (the PROXY protocol?), and what a client says once does not go along: its connections end in the process that has them, announced. Give listen() { connections: { save, restore } } for what is known of them, or { connections: 'drain' } where this is meant.`,
      { type: 'HandoffWarning', code: 'FD_HANDOFF_FRONT_LISTENER' },
    );
  }
}
