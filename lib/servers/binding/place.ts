import type { EventEmitter } from 'node:events';
import type { Server } from 'node:net';
import type { BoundAddress } from './address.ts';

/** Where a server accepts, or a datagram socket receives. */
export interface Place<Attached extends EventEmitter = Server> {
  readonly name: string;
  readonly address: BoundAddress;
  readonly inherited: boolean;
  /** Whether it was let go of: nobody can accept here any more. */
  readonly closed: boolean;
  /** Makes `attached` accept here: it emits 'listening' or 'error'. */
  attach(attached: Attached): void;
  /** Lets go of it in this process. */
  close(): void;
  /** Lets go of it for good: nobody is to inherit it. */
  remove(): void;
}

/** What is done in a place. */
export type Service =
  /** Bound, and nothing is accepted: who connects waits in the kernel's queue, and so do datagrams. */
  | 'waiting'
  | 'accepting'
  /** The listener is left to others; open connections are served on. */
  | 'stopped'
  /** The application has closed the server; open connections are served on. */
  | 'retired';

/** Resolves when `attached` listens in its place; rejects with its error, or with what attaching throws. */
export function attachTo<Attached extends EventEmitter>(place: Place<Attached>, attached: Attached): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const settle = (error?: Error) => {
      attached.off('error', settle).off('listening', listening);
      if (error === undefined) resolve();
      else reject(error);
    };
    const listening = () => settle();
    attached.once('error', settle).once('listening', listening);
    try {
      place.attach(attached);
    } catch (error) {
      settle(error as Error);
    }
  });
}
