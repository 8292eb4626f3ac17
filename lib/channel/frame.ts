import { HandoffError, isHandoffErrorCode } from '../fd/handoff-error.ts';

/** The frames of protocol version 1, by name. The numbers are on the wire and never change their meaning. */
export const frameTypes = {
  HELLO: 1,
  WELCOME: 2,
  REFUSED: 3,
  OFFER: 4,
  DESCRIPTORS: 5,
  RECEIVED: 6,
  STATE: 7,
  COMMITTED: 8,
  ABORT: 9,
  CONNECTIONS: 10,
  ADOPTED: 11,
  DRAINED: 12,
  STATUS: 13,
  PROGRESS: 14,
  RELEASED: 15,
  UNCLAIMED: 16,
  RETIRE: 17,
  INQUIRE: 18,
  GENERATIONS: 19,
  HASTEN: 20,
  DEBUGGER: 21,
  REOPEN: 22,
} as const;

/** A frame's type, by its name in docs/protocol.md. */
export type FrameName = keyof typeof frameTypes;

/** What a JSON payload is made of. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
/** What the payload of a frame is. */
export type JsonObject = { [key: string]: Json };

/** A frame as it was read: the payload is an object, and nothing more is known of it until a reader has looked. */
export interface Frame {
  readonly name: FrameName;
  readonly payload: JsonObject;
  /** What follows the JSON in `STATE` and `CONNECTIONS`; empty in all others. */
  readonly bytes: Buffer;
}

/**
 * The largest frame, type and payload together: 16 MiB. A manifest of ten thousand listeners takes 2 MiB, and state
 * travels in pieces; whoever announces more is not speaking this protocol.
 */
export const maximumFrameLength = 16 * 1024 * 1024;

const lengthBytes = 4;
const headerBytes = lengthBytes + 1;
const empty = Buffer.alloc(0);

const namesByType = new Map<number, FrameName>(
  Object.entries(frameTypes).map(([name, type]) => [type, name as FrameName]),
);

function carriesBytes(name: FrameName): boolean {
  return name === 'STATE' || name === 'CONNECTIONS';
}

/** Writes one frame: `u32 length | u8 type | payload`, big-endian, the length counting type and payload. */
export function encodeFrame(name: FrameName, payload: JsonObject, bytes: Buffer = empty): Buffer {
  const json = JSON.stringify(payload);
  const jsonLength = Buffer.byteLength(json);
  const prefix = carriesBytes(name) ? lengthBytes : 0;
  const length = 1 + prefix + jsonLength + bytes.length;
  if (length > maximumFrameLength) {
    throw new HandoffError(
      'ERR_HANDOFF_PROTOCOL',
      `A ${name} frame of ${length} bytes is over the limit of ${maximumFrameLength}: hand over less, or in pieces.`,
    );
  }
  const frame = Buffer.allocUnsafe(lengthBytes + length);
  frame.writeUInt32BE(length, 0);
  frame[lengthBytes] = frameTypes[name];
  if (prefix > 0) frame.writeUInt32BE(jsonLength, headerBytes);
  frame.write(json, headerBytes + prefix);
  bytes.copy(frame, headerBytes + prefix + jsonLength);
  return frame;
}

/**
 * The largest frame that a predecessor takes from a successor: 1 MiB. Nothing of the protocol that flows that way comes
 * near it, and sixty-four visitors who announce the most that they may cost no more memory than one large state.
 */
export const maximumVisitorFrameLength = 1024 * 1024;

/** Cuts a byte stream into frames. Unknown types are skipped; what cannot be a frame throws ERR_HANDOFF_PROTOCOL. */
export class FrameDecoder {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #buffered = 0;

  /** @param limit the largest frame that is taken, type and payload together, in bytes */
  constructor(limit: number = maximumFrameLength) {
    this.#limit = limit;
  }

  /** How many bytes are held that do not make a whole frame yet. */
  get pending(): number {
    return this.#buffered;
  }

  /** Takes in `chunk` and returns the frames that it completed. After a throw the stream has no meaning any more. */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    const frames: Frame[] = [];
    for (;;) {
      const body = this.#takeBody();
      if (body === null) return frames;
      const frame = decodeBody(body);
      if (frame !== null) frames.push(frame);
    }
  }

  #takeBody(): Buffer | null {
    if (this.#buffered < lengthBytes) return null;
    let first = this.#chunks[0] as Buffer;
    if (first.length < lengthBytes) first = this.#join();
    const length = first.readUInt32BE(0);
    // Judged by the announced length alone, before any of it is kept: a liar must not make us hold memory.
    if (length < 1 || length > this.#limit) {
      throw new HandoffError(
        'ERR_HANDOFF_PROTOCOL',
        `A frame announced a length of ${length} bytes; 1 to ${this.#limit} are allowed. Is the peer speaking another protocol?`,
      );
    }
    const whole = lengthBytes + length;
    if (this.#buffered < whole) return null;
    const joined = first.length >= whole ? first : this.#join();
    this.#chunks[0] = joined.subarray(whole);
    this.#buffered -= whole;
    return joined.subarray(lengthBytes, whole);
  }

  #join(): Buffer {
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}

function decodeBody(body: Buffer): Frame | null {
  const name = namesByType.get(body[0] as number);
  if (name === undefined) return null;
  if (!carriesBytes(name)) return { name, payload: parseObject(name, body, 1, body.length), bytes: empty };
  const start = 1 + lengthBytes;
  const jsonLength = body.length >= start ? body.readUInt32BE(1) : Number.POSITIVE_INFINITY;
  if (start + jsonLength > body.length) throw malformed(name, 'its JSON is longer than the frame');
  return {
    name,
    payload: parseObject(name, body, start, start + jsonLength),
    bytes: body.subarray(start + jsonLength),
  };
}

function parseObject(name: FrameName, body: Buffer, start: number, end: number): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8', start, end));
  } catch (error) {
    throw malformed(name, 'its payload is not JSON', error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(name, 'its payload is not a JSON object');
  }
  return value as JsonObject;
}

function malformed(name: FrameName, why: string, cause?: unknown): HandoffError {
  return new HandoffError('ERR_HANDOFF_PROTOCOL', `A malformed ${name} frame arrived: ${why}.`, { cause });
}

/** Reads a field that must be a whole number of at least `minimum`. */
export function readInteger(frame: Frame, field: string, minimum = 0): number {
  const value = frame.payload[field];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= minimum) return value;
  throw malformed(frame.name, `"${field}" is not a whole number of at least ${minimum}`);
}

/** Reads a field that must be a string. */
export function readString(frame: Frame, field: string): string {
  const value = frame.payload[field];
  if (typeof value === 'string') return value;
  throw malformed(frame.name, `"${field}" is not a string`);
}

/** Reads a field that must be an array whose every element `accepts` lets through. */
export function readArray<Element extends Json>(
  frame: Frame,
  field: string,
  accepts: (element: Json) => element is Element,
): Element[] {
  const value = frame.payload[field];
  if (Array.isArray(value) && value.every(accepts)) return value as Element[];
  throw malformed(frame.name, `"${field}" is not an array of what belongs there`);
}

export function isString(value: Json): value is string {
  return typeof value === 'string';
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The error that a REFUSED or ABORT frame stands for, with the peer's own code where it is one of ours. */
export function errorFrom(frame: Frame): HandoffError {
  const { code, message } = frame.payload;
  const fallback = frame.name === 'REFUSED' ? 'ERR_HANDOFF_REFUSED' : 'ERR_HANDOFF_ABORTED';
  return new HandoffError(
    typeof code === 'string' && isHandoffErrorCode(code) ? code : fallback,
    typeof message === 'string' ? message : `The peer sent ${frame.name} without a reason.`,
  );
}
