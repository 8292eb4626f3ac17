import type { Socket } from 'node:net';
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { batchLimit } from '../channel/channel.ts';
import type { Json } from '../channel/frame.ts';
import type { Departing } from '../handoff/connection-transfer.ts';
import { descriptorOf } from './internals.ts';

/** Sends a batch, and resolves with those of it that the successor has adopted. */
export type SendBatch = (batch: readonly Departing[]) => Promise<Set<Departing>>;

/** A connection on its way out: nobody reads from it any more. */
export interface Parting {
  readonly route: string;
  readonly socket: Socket;
  readonly head: Buffer;
  readonly data: Json;
}

interface Queued {
  readonly parting: Parting;
  readonly settle: (adopted: boolean) => void;
}

/**
 * Gives connections to the successor, in batches with one under way. Between two batches the event loop runs: requests
 * that are still being answered here must not wait for ten thousand idle connections to leave.
 */
export class Mover {
  readonly #send: SendBatch;
  readonly #queue: Queued[] = [];
  #moved = 0;
  #running = false;

  constructor(send: SendBatch) {
    this.#send = send;
  }

  /** How many connections the successor has adopted. */
  get moved(): number {
    return this.#moved;
  }

  /**
   * Queues a connection. Resolves with whether the successor has it: then this process's copy is to be destroyed, and
   * nothing else done to it. Otherwise it stays as it was.
   */
  give(parting: Parting): Promise<boolean> {
    return new Promise((settle) => {
      this.#queue.push({ parting, settle });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Whoever gives several gives them in one turn: they make up the first batch together.
    await eventLoopTurn();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, batchLimit).filter(isThere);
      const departing = new Map(batch.map((queued) => [departingOf(queued.parting), queued]));
      const adopted = await this.#send([...departing.keys()]).catch(() => new Set<Departing>());
      for (const [one, { settle }] of departing) {
        if (adopted.has(one)) this.#moved++;
        settle(adopted.has(one));
      }
      await eventLoopTurn();
    }
    this.#running = false;
  }
}

/** A client can hang up while its connection waits for its turn. */
function isThere({ parting, settle }: Queued): boolean {
  if (!parting.socket.destroyed) return true;
  settle(false);
  return false;
}

function departingOf({ route, socket, head, data }: Parting): Departing {
  const { remoteAddress, remotePort } = socket;
  const remote = remoteAddress === undefined ? null : { address: remoteAddress, port: remotePort ?? 0 };
  return { route, fd: descriptorOf(socket), head, data, remote };
}
