import type { Socket } from 'node:net';
import { isObject, type Json } from '../../channel/frame.ts';
import type { ConnectionMemory } from '../moving/connection-memory.ts';
import type { RequestCounts } from './request-counts.ts';

/**
 * What goes along with an HTTP connection that moves: how many requests it has had, and what the application knows of it.
 * As JSON `{requests, memory}`, the latter where the application has hooks for it.
 */
export class Luggage {
  readonly #counts: RequestCounts;
  readonly #memory: ConnectionMemory | null;

  constructor(counts: RequestCounts, memory: ConnectionMemory | null) {
    this.#counts = counts;
    this.#memory = memory;
  }

  /** Undefined where it cannot be had, and the connection stays. */
  pack(socket: Socket): Json | undefined {
    const requests = this.#counts.of(socket);
    if (this.#memory === null) return { requests };
    const memory = this.#memory.save(socket);
    return memory === undefined ? undefined : { requests, memory };
  }

  /** Gives a connection that has come what it had. Returns whether it can be served here. */
  unpack(socket: Socket, luggage: Json): boolean {
    // An older version says nothing. What it moves has had a request, save for those that have never sent a byte.
    const { requests = 1, memory } = isObject(luggage) ? luggage : {};
    // Where one side alone has hooks, something would be lost, or is missing.
    if ((memory === undefined) !== (this.#memory === null)) return false;
    if (this.#memory?.restore(socket, memory as Json) === false) return false;
    if (Number.isSafeInteger(requests) && (requests as number) > 0) this.#counts.carry(socket, requests as number);
    return true;
  }
}
