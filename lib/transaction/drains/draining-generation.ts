import { isObject, type Json, type JsonObject } from '../../channel/frame.ts';

/** An answer that is under way. */
export type PendingAnswer = {
  /** What was asked for, without the query: that may hold a token, and a status is shown to whoever asks. */
  readonly path: string;
  /** How long ago the request came, in milliseconds. */
  readonly age: number;
};

/** What a process that drains waits for. */
export type DrainWork = {
  /** How many connections are open. */
  readonly connections: number;
  /** How many of each kind: `answer`, `websocket` or what else a connection was upgraded to, `worker`, … */
  readonly kinds: { readonly [kind: string]: number };
  /** The answers that have been under way longest, the oldest first; ten at most. */
  readonly answers: PendingAnswer[];
};

/** A generation that finishes what it has begun, while another one serves or nobody does. */
export type DrainingGeneration = {
  readonly pid: number;
  readonly generation: number;
  /** When it began to: ISO 8601, UTC; null where it was not asked, or does not answer. */
  readonly since: string | null;
  /** When what is left is cut off. */
  readonly until: string | null;
  /** `'unasked'`: only a question tells, as the command and the control path put it; `'silent'`: it was asked, and is stopped or hangs. */
  readonly waitsFor: DrainWork | 'unasked' | 'silent';
};

/** Whom an order to end is for, and how long it may take. */
export interface HasteOrder {
  /** Null: for every one that drains. */
  readonly pid: number | null;
  /** In milliseconds from now; 0: what is left is cut off at once. */
  readonly timeout: number;
}

/** Reads what another process says of those that drain; what is nothing of the kind is left out. */
export function readGenerations(value: Json | undefined): DrainingGeneration[] {
  return Array.isArray(value) ? value.filter(isObject).filter(isGeneration) : [];
}

function isGeneration(value: JsonObject): value is JsonObject & DrainingGeneration {
  const { pid, generation, waitsFor } = value;
  return (
    Number.isSafeInteger(pid) &&
    Number.isSafeInteger(generation) &&
    (waitsFor === 'silent' ||
      waitsFor === 'unasked' ||
      (isObject(waitsFor ?? null) && Array.isArray((waitsFor as JsonObject).answers)))
  );
}
