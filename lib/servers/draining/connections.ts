import type { Server, Socket } from 'node:net';
import type { Json } from '../../channel/frame.ts';
import type { ConnectionMemory } from '../moving/connection-memory.ts';
import type { Mover } from '../moving/mover.ts';

/** Why a process leaves: another one serves in its place, or it was told to stop. */
export type DrainReason = 'handoff' | 'shutdown';

/** What is under way on a connection, for people. */
export interface Work {
  /** An answer, a protocol that it was upgraded to, or what else keeps it. */
  readonly kind: string;
  /** Of an answer: what was asked for, without the query, which may hold a secret. */
  readonly path?: string;
  /** When it began, as `performance.now()` tells it. */
  readonly since?: number;
}

/**
 * The open connections of one server, tracked by ourselves: Node's own count leaves out what came by
 * `emit('connection')`, and its `close()` knows nothing of upgraded sockets.
 *
 * This is what any `net` server can do: its connections speak the application's protocol, so the application alone knows
 * which are idle. It hears of the drain by `app.draining`, and they have until the drain's deadline.
 */
export class Connections {
  readonly sockets = new Set<Socket>();
  /** How many went to a successor, unclosed. */
  moved = 0;
  #whenEmpty: (() => void)[] = [];

  /** @param server is watched for connections; null where they come in another way */
  constructor(server: Server | null) {
    server?.prependListener('connection', (socket: Socket) => this.track(socket));
  }

  /** They are those of the listener of that name, from now on; a memory knows what the application does of them. */
  belongTo(_listener: string, _memory: ConnectionMemory | null): void {}

  /** Resolves when no connection is open. */
  empty(): Promise<void> {
    if (this.sockets.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  /** From now on whatever is answered says that it is the last on its connection. */
  announceClose(): void {}

  /**
   * Gives to `mover` what can leave unclosed, now and as it gets there, under `route`; whatever cannot leave is treated
   * as by `announceClose`. Connections whose protocol only the application knows are moved by the application.
   */
  move(_mover: Mover, _route: string): void {
    this.announceClose();
  }

  /**
   * Half of the time is over: what has not left by now, as `move` says, is told with its next answer. Later there might be
   * none before the end.
   */
  tellAll(): void {}

  /** Takes `announceClose` or `move` back: this process serves again. */
  keepOpen(): void {}

  /** Whether this server can serve connections that were established by another process. */
  get adopts(): boolean {
    return false;
  }

  /**
   * Serves a connection that came from the predecessor, with what that says of it; only where `adopts` says so. Returns
   * whether it does: otherwise it has done nothing to it.
   */
  adopt(_socket: Socket, _data: Json): boolean {
    return false;
  }

  /** Closes this share (0 to 1) of the connections that wait for a next request, or have never sent a byte. */
  closeIdle(_share = 1): void {}

  /** Ends connections whose request has begun and does not come to its end. Returns those. */
  closeHalfSent(): Socket[] {
    return [];
  }

  /** Tells this share (0 to 1) of those whose protocol has a word for it, and that were not told, that the end is near. */
  tell(_reason: DrainReason, _share: number): void {}

  /** What is under way on all of them. */
  get works(): Work[] {
    return [...this.sockets].map((socket) => this.workOn(socket));
  }

  /** What keeps this connection open. */
  workOn(_socket: Socket): Work {
    return { kind: 'connection' };
  }

  /** Destroys whatever is open. Returns what was cut off by that: not what was being closed already. */
  destroyAll(): Socket[] {
    const open = [...this.sockets].filter((socket) => !socket.destroyed);
    for (const socket of open) socket.destroy();
    return open;
  }

  /** Stops watching the server: this process has nothing more to do with it. */
  forget(): void {}

  /** Counts `socket` from now on; in the place of `former`, where that is the same connection. */
  protected track(socket: Socket, former: Socket | null = null): void {
    if (former !== null) this.sockets.delete(former);
    if (this.sockets.has(socket)) return;
    this.sockets.add(socket);
    socket.once('close', () => {
      this.sockets.delete(socket);
      if (this.sockets.size > 0) return;
      const waiting = this.#whenEmpty;
      this.#whenEmpty = [];
      for (const resolve of waiting) resolve();
    });
  }
}

/** That share of `sockets`, rounded up. */
export function shareOf(sockets: readonly Socket[], share: number): readonly Socket[] {
  return sockets.slice(0, Math.ceil(sockets.length * share));
}

/** What was asked for. A query may hold a token, and is nobody's affair. */
export function withoutQuery(target: string): string {
  return target.replace(/[?#].*$/s, '');
}
