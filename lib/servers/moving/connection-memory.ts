import type { Socket } from 'node:net';
import { batchLimit } from '../../channel/channel.ts';
import type { Json } from '../../channel/frame.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import { givenSizeLimit } from './mover.ts';

/**
 * What the application knows of a connection goes along when the library moves it: who a PROXY header said it is, whom it
 * has authenticated. A connection moves only between two versions that both have these, or that both have none; every
 * other one ends in the old process, announced.
 */
export interface ConnectionHooks {
  /**
   * Says, as JSON, what is known of a connection; null where that is nothing. Called in the old process, in the moment in
   * which it leaves, between two requests. It can still stay after that, and is asked again where it leaves once more.
   *
   * The connection stays, and ends in the old process, where this throws, returns a promise, `undefined` or something else
   * that is no JSON, or more than 128 KiB of it. `'error'` tells of the first at each handoff.
   */
  save(socket: Socket): Json;
  /**
   * Puts it back. Called in the new process, before HTTP reads from the connection and before a listener to `'connection'`
   * hears of it; one that reads before HTTP does never hears of it. Reading from the socket here, or writing, is too early.
   *
   * One that throws, or returns a promise, has refused the connection, which ends in the old process; after a re-exec it is
   * closed. `'error'` tells of the first.
   */
  restore(socket: Socket, data: Json): void;
}

/** As much as each connection of a full batch can have, in bytes. */
const savedSizeLimit = givenSizeLimit / batchLimit;

/** What an application knows of the connections of one listener. */
export class ConnectionMemory {
  readonly #listener: string;
  readonly #hooks: ConnectionHooks;
  readonly #report: (error: Error) => void;
  readonly #reported = new Set<keyof ConnectionHooks>();

  /** @param report is told of the first failure of each hook */
  constructor(listener: string, hooks: ConnectionHooks, report: (error: Error) => void) {
    this.#listener = listener;
    this.#hooks = hooks;
    this.#report = report;
  }

  /** From now on failures of `save` are reported again: another handoff begins. */
  renew(): void {
    this.#reported.delete('save');
  }

  /** What is known of a connection; undefined where that cannot be had. */
  save(socket: Socket): Json | undefined {
    try {
      const known: unknown = this.#hooks.save(socket);
      refusePromise(known);
      const json: string | undefined = JSON.stringify(known);
      if (json === undefined)
        throw new Error(`it returned ${typeof known}, which is no JSON: null says that nothing is known`);
      const size = Buffer.byteLength(json);
      if (size > savedSizeLimit) throw new Error(`it returned ${size} bytes, and ${savedSizeLimit} can go along`);
      return known as Json;
    } catch (error) {
      this.#failed('save', error, 'Such a connection ends in this process, announced');
      return undefined;
    }
  }

  /** Puts back what was known. Returns whether that was done. */
  restore(socket: Socket, data: Json): boolean {
    try {
      refusePromise(this.#hooks.restore(socket, data));
      return true;
    } catch (error) {
      this.#failed('restore', error, 'Such a connection is refused, and ends in the old process');
      return false;
    }
  }

  #failed(hook: keyof ConnectionHooks, cause: unknown, consequence: string): void {
    if (this.#reported.has(hook)) return;
    this.#reported.add(hook);
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#report(
      new HandoffError(
        'ERR_HANDOFF_REFUSED',
        `The ${hook}() of the connections of the listener "${this.#listener}" failed: ${reason}. ${consequence}; further ones are not reported.`,
        { cause },
      ),
    );
  }
}

function refusePromise(returned: unknown): void {
  if (typeof (returned as PromiseLike<unknown> | null | undefined)?.then !== 'function') return;
  // Nobody else hears of its failure.
  (returned as PromiseLike<unknown>).then(undefined, () => {});
  throw new Error('it returned a promise, and the connection does not wait for one');
}
