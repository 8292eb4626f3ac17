import type { Socket } from 'node:net';
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { batchLimit } from '../../channel/channel.ts';
import type { Json } from '../../channel/frame.ts';
import type { ConnectionsTaken, Departing } from '../../transaction/connection-transfer.ts';
import { descriptorOf } from '../internals/sockets.ts';
import { Pace } from './pace.ts';

/**
 * How much may go along with one connection that the application gives, and with all of a batch, in bytes: a frame of
 * the protocol carries twice that. What Node itself buffers of a connection is far below it.
 */
export const givenSizeLimit = 8 * 1024 * 1024;

/**
 * Sends a batch, and resolves with those of it that the successor has adopted. It calls `received` before that where the
 * next may follow earlier: when the successor holds the batch.
 */
export type SendBatch = (batch: readonly Departing[], received: () => void) => Promise<Set<Departing>>;

/** A connection on its way out: nobody reads from it any more. */
export interface Parting {
  readonly route: string;
  readonly socket: Socket;
  readonly head: Buffer;
  readonly data: Json;
  /**
   * Is told whether the successor has it: then this process's copy is to be destroyed, and nothing else done to it.
   * Otherwise it stays as it was.
   */
  readonly settle: (adopted: boolean) => void;
}

/** Where connections come from. */
export interface PartingSource {
  /** At most `limit` connections that can leave now, and from which nobody reads any more. */
  take(limit: number): Parting[];
}

/**
 * Gives connections to the successor, in batches: one is on its way while the one before it is adopted. Each connection is
 * taken only when its batch is due: until then it is served here, so that no client waits for ten thousand others to
 * leave. Between two batches the event loop runs, for the requests that are still being answered.
 */
export class Mover {
  /** Whether what the application knows of an HTTP connection can go along with it. */
  readonly takes: Exclude<ConnectionsTaken, 'none'>;
  readonly #send: SendBatch;
  readonly #sources: PartingSource[] = [];
  /** What the application has given. */
  readonly #given: Parting[] = [];
  readonly #pace = new Pace();
  /** Settles when the last batch that the successor holds is adopted, or not. */
  #adopting: Promise<void> = Promise.resolve();
  #running = false;

  constructor(send: SendBatch, takes: Exclude<ConnectionsTaken, 'none'> = 'remembered') {
    this.#send = send;
    this.takes = takes;
  }

  /** How many leave at a time, as far as it is known. */
  get batchSize(): number {
    return this.#pace.batchSize;
  }

  /** Takes from `source` from now on. */
  add(source: PartingSource): void {
    this.#sources.push(source);
    this.wake();
  }

  /** Something can leave that could not before. */
  wake(): void {
    if (!this.#running) void this.#run();
  }

  /** Gives one connection. Resolves with whether the successor has it, as `Parting.settle` is told. */
  give(parting: Omit<Parting, 'settle'>): Promise<boolean> {
    return new Promise((settle) => {
      this.#given.push({ ...parting, settle });
      this.wake();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Whoever gives several gives them in one turn: they make up the first batch together.
    await eventLoopTurn();
    for (let batch = this.#next(); batch.length > 0; batch = this.#next()) {
      const begun = performance.now();
      const { received, settled } = this.#dispatch(batch);
      const answered = received.then(() => this.#pace.answered(performance.now() - begun));
      // Some answer at once, and requests are to be served in between.
      await Promise.all([answered, eventLoopTurn()]);
      // One on its way and one that is being adopted: more than that would wait, read by nobody.
      await this.#adopting;
      this.#adopting = settled;
    }
    this.#running = false;
  }

  /** Sends a batch. Neither promise rejects: what the successor does not adopt stays here. */
  #dispatch(batch: readonly Parting[]): { received: Promise<void>; settled: Promise<void> } {
    const departing = new Map(batch.map((parting) => [departingOf(parting), parting]));
    let settled = Promise.resolve();
    const received = new Promise<void>((resolve) => {
      settled = this.#send([...departing.keys()], resolve)
        .catch(() => new Set<Departing>())
        .then((adopted) => {
          resolve();
          for (const [one, { settle }] of departing) settle(adopted.has(one));
        });
    });
    return { received, settled };
  }

  #next(): Parting[] {
    // What was given is served by nobody any more: it waits for no pace.
    const batch = this.#nextGiven();
    for (const source of this.#sources) {
      const room = this.#pace.batchSize - batch.length;
      if (room > 0) batch.push(...source.take(room));
    }
    return batch;
  }

  #nextGiven(): Parting[] {
    const batch: Parting[] = [];
    let size = 0;
    for (let next = this.#given[0]; next !== undefined && batch.length < batchLimit; next = this.#given[0]) {
      size += sizeOf(next);
      if (batch.length > 0 && size > givenSizeLimit) break;
      this.#given.shift();
      if (canLeave(next)) batch.push(next);
      else next.settle(false);
    }
    return batch;
  }
}

/** While a connection waits for its turn its client can hang up, and whoever has given it can write or end it. */
function canLeave({ socket }: Parting): boolean {
  return !socket.destroyed && socket.writable && socket.writableLength === 0;
}

function sizeOf({ head, data }: Parting): number {
  return head.length + Buffer.byteLength(JSON.stringify(data));
}

function departingOf({ route, socket, head, data }: Parting): Departing {
  const { remoteAddress, remotePort } = socket;
  const remote = remoteAddress === undefined ? null : { address: remoteAddress, port: remotePort ?? 0 };
  return { route, fd: descriptorOf(socket), head, data, remote };
}
