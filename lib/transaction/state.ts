import type { Control } from '../channel/control.ts';
import { type Frame, isObject, type Json, type JsonObject, readString } from '../channel/frame.ts';
import { HandoffError } from '../fd/handoff-error.ts';

/** What an application hands to its successor under a name. */
export type StateValue = Json | Uint8Array;

export interface SavedState {
  readonly name: string;
  readonly late: boolean;
  readonly value: StateValue;
}

/** What the offer says of a state that will follow. */
export interface StateEntry extends JsonObject {
  name: string;
  late: boolean;
}

/** Bytes of one STATE frame: the protocol allows 1 MiB, between two of which the event loop runs. */
const pieceLength = 1024 * 1024;

export function isStateEntry(value: Json): value is StateEntry {
  return isObject(value) && typeof value.name === 'string' && typeof value.late === 'boolean';
}

/** Sends one state in as many pieces as it needs. */
export async function sendState(control: Control, state: SavedState, signal: AbortSignal): Promise<void> {
  const isBytes = state.value instanceof Uint8Array;
  const whole = isBytes ? Buffer.from(state.value as Uint8Array) : Buffer.from(encodeJson(state));
  const header = { name: state.name, late: state.late, encoding: isBytes ? 'bytes' : 'json' };
  let start = 0;
  do {
    const piece = whole.subarray(start, start + pieceLength);
    start += piece.length;
    await control.sendAndDrain('STATE', { ...header, last: start >= whole.length }, piece, signal);
  } while (start < whole.length);
}

function encodeJson({ name, value }: SavedState): string {
  const text: string | undefined = JSON.stringify(value);
  if (text !== undefined) return text;
  throw new TypeError(
    `The state "${name}" cannot be handed over: its save() returned ${typeof value}, which is not JSON.`,
  );
}

/** Puts pieces together; `take` returns a state when its last piece came. */
export class StateAssembler {
  readonly #pieces = new Map<string, Buffer[]>();

  take(frame: Frame): SavedState | null {
    const name = readString(frame, 'name');
    const pieces = this.#pieces.get(name) ?? [];
    pieces.push(frame.bytes);
    this.#pieces.set(name, pieces);
    if (frame.payload.last !== true) return null;
    this.#pieces.delete(name);
    const whole = Buffer.concat(pieces);
    const late = frame.payload.late === true;
    return { name, late, value: frame.payload.encoding === 'bytes' ? whole : decodeJson(name, whole) };
  }
}

function decodeJson(name: string, text: Buffer): Json {
  try {
    return JSON.parse(text.toString('utf8')) as Json;
  } catch (error) {
    throw new HandoffError('ERR_HANDOFF_PROTOCOL', `The state "${name}" arrived as something that is not JSON.`, {
      cause: error,
    });
  }
}
