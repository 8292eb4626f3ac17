import type { Socket } from 'node:net';
import type { Json } from '../../channel/frame.ts';
import { resumeReading, stopReading } from '../internals/sockets.ts';
import type { Mover, Parting, PartingSource } from '../moving/mover.ts';

/**
 * How many connections are looked at in one turn of the event loop: less than 1 µs each, or 2 where the machine is slow, so
 * that requests wait no longer for it than for the batch of 64 that is sent in another.
 */
const lookSlice = 1024;

/**
 * After so many milliseconds an answer was a slow one: its client can wait once more, as long as a batch takes. Clients of
 * quick answers come back soon, and then there may be room.
 */
const slow = 100;

/**
 * For so long, in milliseconds, nobody reads from a connection before the next batch is due. A successor answers for one in
 * milliseconds, or in some hundred where it is still starting; one that takes longer was stopped, and clients are served
 * here meanwhile.
 */
const holdLimit = 1_000;

const nothing = Buffer.alloc(0);

/** What departures ask of the server's connections, and tell them. */
export interface DeparturesOwner {
  readonly sockets: ReadonlySet<Socket>;
  /** Whether nothing is under way on a connection in either direction. */
  readonly canLeave: (socket: Socket) => boolean;
  /** Since when its last answer has been under way, as `performance.now()` tells it. */
  readonly since: (socket: Socket) => number;
  /** Makes what goes along with a connection; undefined where that cannot be had, and it stays. */
  readonly pack: (socket: Socket) => Json | undefined;
  /** One has left. */
  readonly moved: () => void;
  /** The successor takes none at the time. */
  readonly stalled: () => void;
}

/** A connection from which nobody reads. */
interface Held {
  /** What ended it when nothing happened on it, in milliseconds; 0: nothing did. */
  readonly timeout: number;
}

/**
 * The HTTP connections of a server that leave for the successor, each between two requests: those that are idle one after
 * the other, as the batches go, and those that are answered meanwhile in the turn in which their answer ends, because a
 * client that asks again at once is never found idle.
 */
export class HttpDepartures implements PartingSource {
  readonly #mover: Mover;
  readonly #route: string;
  readonly #owner: DeparturesOwner;
  readonly #slice: number;
  /** They wait for the next batch. */
  readonly #held = new Map<Socket, Held>();
  /** Between two requests when last looked at, and still served here. */
  readonly #resting = new Set<Socket>();
  /** Those that were not looked at yet. */
  #unseen: Iterator<Socket> | null;
  readonly #inTransit = new Set<Socket>();
  /** The successor did not take them: they stay, and drain. */
  readonly #kept = new WeakSet<Socket>();
  #state: 'leaving' | 'stalled' | 'stopped' = 'leaving';
  #limit: NodeJS.Timeout | null = null;

  /** @param slice how many connections are looked at in one turn of the event loop */
  constructor(mover: Mover, route: string, owner: DeparturesOwner, slice = lookSlice) {
    this.#mover = mover;
    this.#route = route;
    this.#owner = owner;
    this.#slice = slice;
    // What comes meanwhile is looked at, too, and what goes is not.
    this.#unseen = owner.sockets.values();
  }

  /** Whether a connection was refused by the successor, and so ends here. */
  keeps(socket: Socket): boolean {
    return this.#kept.has(socket);
  }

  /** Whether nobody reads from it because it is about to leave. */
  holds(socket: Socket): boolean {
    return this.#held.has(socket);
  }

  get stalled(): boolean {
    return this.#state === 'stalled';
  }

  /** A connection has come that can leave, perhaps: it is served here until it does. */
  add(socket: Socket): void {
    if (this.#state === 'stopped') return;
    this.#resting.add(socket);
    this.#mover.wake();
  }

  /** An answer is over, and no other is under way. Returns whether nobody reads from the connection from now on. */
  rested(socket: Socket): boolean {
    if (this.#state === 'stopped' || !this.#leaves(socket)) return false;
    const isHeld = this.#hasRoomFor(socket) && this.#hold(socket);
    if (!isHeld) this.#resting.add(socket);
    this.#mover.wake();
    return isHeld;
  }

  /** Nothing more leaves. What is in transit still gets its answer. */
  stop(): void {
    this.#state = 'stopped';
    this.#unseen = null;
    this.#resting.clear();
    this.#releaseAll();
  }

  take(limit: number): Parting[] {
    if (this.#state === 'stopped') return [];
    this.#state = 'leaving';
    const partings: Parting[] = [];
    for (const socket of this.#candidates()) {
      const parting = this.#part(socket);
      if (parting !== null) partings.push(parting);
      if (partings.length === limit) break;
    }
    this.#expireLater();
    // In another turn of the event loop, for requests that wait meanwhile.
    if (partings.length === 0 && this.#unseen !== null) setImmediate(() => this.#mover.wake());
    return partings;
  }

  /** First those that nobody serves meanwhile; then some of those that were not looked at yet. */
  *#candidates(): Generator<Socket> {
    yield* this.#held.keys();
    for (const socket of this.#resting) {
      this.#resting.delete(socket);
      yield socket;
    }
    for (let looked = 0; looked < this.#slice && this.#unseen !== null; looked++) {
      const { value: socket } = this.#unseen.next();
      if (socket === undefined) this.#unseen = null;
      else yield socket;
    }
  }

  #leaves(socket: Socket): boolean {
    return !socket.destroyed && !this.#inTransit.has(socket) && !this.#kept.has(socket);
  }

  /**
   * Those that are held are served by nobody: under load there are no more of them than the next batch takes, as long as
   * they come back soon.
   */
  #hasRoomFor(socket: Socket): boolean {
    if (this.#state === 'stalled') return false;
    if (this.#held.size < this.#mover.batchSize) return true;
    return performance.now() - this.#owner.since(socket) >= slow;
  }

  #hold(socket: Socket): boolean {
    if (!stopReading(socket)) return false;
    this.#held.set(socket, { timeout: socket.timeout ?? 0 });
    // Its next request may be in the kernel already: it does not end by the time limit of an idle one.
    socket.setTimeout(0);
    if (this.#held.size === 1) this.#expireLater();
    return true;
  }

  #release(socket: Socket, { timeout }: Held): void {
    this.#held.delete(socket);
    if (socket.destroyed) return;
    // Where a request has come all the same, its time limit is Node's own.
    if (this.#owner.canLeave(socket)) socket.setTimeout(timeout);
    resumeReading(socket);
  }

  #releaseAll(): void {
    for (const [socket, held] of this.#held) this.#release(socket, held);
    this.#expireLater();
  }

  /** What is held now has as long as any; when the mover has come for some, the others have so again. */
  #expireLater(): void {
    if (this.#limit !== null) clearTimeout(this.#limit);
    this.#limit = this.#held.size === 0 ? null : setTimeout(() => this.#stall(), holdLimit);
  }

  #stall(): void {
    this.#state = 'stalled';
    for (const socket of this.#held.keys()) this.#resting.add(socket);
    this.#releaseAll();
    this.#owner.stalled();
  }

  /** The connection on its way; null where it does not leave now. */
  #part(socket: Socket): Parting | null {
    const held = this.#held.get(socket);
    // Looked at once more, whatever it was before: one byte of a next request, and it is not between two any more.
    if (!this.#leaves(socket) || !this.#owner.canLeave(socket)) {
      if (held !== undefined) this.#release(socket, held);
      return null;
    }
    const data = this.#owner.pack(socket);
    if (data === undefined || !stopReading(socket)) {
      this.#kept.add(socket);
      if (held !== undefined) this.#release(socket, held);
      return null;
    }
    const { timeout } = held ?? { timeout: socket.timeout ?? 0 };
    this.#held.delete(socket);
    this.#inTransit.add(socket);
    socket.setTimeout(0);
    const settle = (adopted: boolean) => {
      this.#inTransit.delete(socket);
      if (adopted) {
        this.#owner.moved();
        // close(2) alone: the successor has a copy, and the client notices nothing.
        socket.destroy();
        return;
      }
      this.#kept.add(socket);
      socket.setTimeout(timeout);
      resumeReading(socket);
    };
    return { route: this.#route, socket, head: nothing, data, settle };
  }
}
