import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';
import { WebSocketFarewell } from './websocket-farewell.ts';

/** A connection that speaks another protocol than HTTP by now. */
interface Upgraded {
  /** As the client has named it. */
  readonly kind: string;
  /** Null where it is no WebSocket: of another protocol only the application knows how to end it. */
  readonly farewell: WebSocketFarewell | null;
}

/** The upgraded connections of an HTTP server. */
export class Upgrades {
  readonly #server: Server;
  readonly #sockets = new Map<Socket, Upgraded>();
  readonly #listening: (event: string | symbol, listener: unknown) => void;
  readonly #unlistening: (event: string | symbol) => void;

  /**
   * A server without a listener for `'upgrade'` answers such requests as ordinary ones, and must go on to do so: ours is
   * there as long as one of the application's is.
   */
  constructor(server: Server) {
    this.#server = server;
    this.#listening = (event, listener) => {
      if (event === 'upgrade' && listener !== this.#track && !this.#listens())
        server.prependListener('upgrade', this.#track);
    };
    this.#unlistening = (event) => {
      if (event === 'upgrade' && server.listenerCount('upgrade') === 1) server.off('upgrade', this.#track);
    };
    server.on('newListener', this.#listening).on('removeListener', this.#unlistening);
    if (server.listenerCount('upgrade') > 0) server.prependListener('upgrade', this.#track);
  }

  /** What it speaks; null where it was not upgraded. */
  kindOf(socket: Socket): string | null {
    return this.#sockets.get(socket)?.kind ?? null;
  }

  /** Tells this share (0 to 1) of those that can be told now, and have not been, that the server leaves. */
  tell(code: number, share: number): void {
    const due = [...this.#sockets.values()].flatMap(({ farewell }) => (farewell?.isDue === true ? [farewell] : []));
    for (const farewell of due.slice(0, Math.ceil(due.length * share))) farewell.say(code);
  }

  /** Stops watching the server. */
  forget(): void {
    const server = this.#server;
    server.off('newListener', this.#listening).off('removeListener', this.#unlistening).off('upgrade', this.#track);
  }

  #listens(): boolean {
    return this.#server.listeners('upgrade').includes(this.#track);
  }

  readonly #track = ({ headers }: IncomingMessage, socket: Socket): void => {
    const kind = nameOf(headers.upgrade);
    const isWebSocket = kind === 'websocket' && headers['sec-websocket-key'] !== undefined;
    this.#sockets.set(socket, { kind, farewell: isWebSocket ? new WebSocketFarewell(socket) : null });
    socket.once('close', () => this.#sockets.delete(socket));
  };
}

/** The first protocol that a client has asked for, as it may be shown to anybody. */
function nameOf(upgrade = ''): string {
  return /^[\w./+-]{1,32}/.exec(upgrade.trim())?.[0].toLowerCase() ?? 'other';
}
