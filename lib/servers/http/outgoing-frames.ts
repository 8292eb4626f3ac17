/** The opcode of a close frame, RFC 6455, section 5.2. */
const closeOpcode = 8;

/** The longest head of an answer that is looked at, in bytes: Node's own limit for those of requests. */
const longestHead = 16_384;

const headEnd = Buffer.from('\r\n\r\n');
const nothing = Buffer.alloc(0);

/** Where in what it writes a WebSocket server is. */
type Place =
  /** Its answer to the handshake has not been written whole. */
  | { readonly is: 'answering' }
  /** So many bytes of a frame's payload are still to come; 0: the header of the next is. Changed in place: there is one for every message. */
  | { readonly is: 'talking'; payload: number }
  /** A close frame was written: nothing may follow. */
  | { readonly is: 'closing' }
  /** This is no WebSocket, or none that can be followed. */
  | { readonly is: 'unknown' };

/**
 * What a WebSocket server writes on a connection, cut into frames: a frame of ours may only stand between two of them, and
 * an application may write one in as many pieces as it likes, as a proxy does. Only headers are looked at.
 */
export class OutgoingFrames {
  #place: Place = { is: 'answering' };
  /** The beginning of a head or of a header. */
  #begun: Buffer = nothing;

  /** Whether a frame that is written now stands between two others. */
  get atBoundary(): boolean {
    return this.#place.is === 'talking' && this.#place.payload === 0 && this.#begun.length === 0;
  }

  /** Takes in what is written. */
  push(written: Uint8Array): void {
    let at = this.#place.is === 'answering' ? this.#takeHead(written) : 0;
    while (at < written.length) {
      const place = this.#place;
      if (place.is !== 'talking') return;
      if (place.payload > 0) {
        const taken = Math.min(place.payload, written.length - at);
        place.payload -= taken;
        at += taken;
      } else {
        at = this.#takeHeader(written, at, place);
      }
    }
  }

  /** Returns how many of the bytes are of the head. */
  #takeHead(written: Uint8Array): number {
    const head = Buffer.concat([this.#begun, written]);
    const end = head.indexOf(headEnd);
    if (end === -1) {
      this.#begun = head;
      if (head.length > longestHead) this.#place = { is: 'unknown' };
      return written.length;
    }
    const before = this.#begun.length;
    this.#begun = nothing;
    const switches = /^HTTP\/1\.1 101[ \r]/.test(head.toString('latin1', 0, 16));
    this.#place = switches ? { is: 'talking', payload: 0 } : { is: 'unknown' };
    return end + headEnd.length - before;
  }

  /** Returns where what follows the header begins. */
  #takeHeader(written: Uint8Array, at: number, place: { payload: number }): number {
    // Nearly always it is there whole, and nothing has to be copied.
    const before = this.#begun.length;
    const bytes = before === 0 ? written : Buffer.concat([this.#begun, written]);
    const start = before === 0 ? at : 0;
    const length = headerLength(bytes, start);
    if (length === null) {
      // A copy: the application may use its own again.
      this.#begun = Buffer.from(bytes.subarray(start));
      return written.length;
    }
    this.#begun = nothing;
    if (((bytes[start] as number) & 0x0f) === closeOpcode) this.#place = { is: 'closing' };
    else place.payload = payloadOf(bytes, start);
    return start + length - before;
  }
}

/** How long the header is that begins at `start`; null where it is not there whole. */
function headerLength(bytes: Uint8Array, start: number): number | null {
  const second = bytes[start + 1];
  if (second === undefined) return null;
  const short = second & 0x7f;
  const length = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4);
  return bytes.length - start < length ? null : length;
}

/** How long the payload is that follows the header at `start`. */
function payloadOf(bytes: Uint8Array, start: number): number {
  const short = (bytes[start + 1] as number) & 0x7f;
  if (short < 126) return short;
  const size = short === 126 ? 2 : 8;
  let length = 0;
  for (let at = start + 2; at < start + 2 + size; at++) length = length * 256 + (bytes[at] as number);
  return length;
}
