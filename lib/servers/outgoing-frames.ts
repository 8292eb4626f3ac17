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
  /** So many bytes of a frame's payload are still to come; 0: the header of the next is. */
  | { readonly is: 'talking'; readonly payload: number }
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
    let rest: Buffer = Buffer.from(written.buffer, written.byteOffset, written.byteLength);
    while (rest.length > 0) {
      if (this.#place.is === 'answering') rest = this.#takeHead(rest);
      else if (this.#place.is === 'talking') rest = this.#takeFrame(rest, this.#place.payload);
      else return;
    }
  }

  #takeHead(written: Buffer): Buffer {
    const head = Buffer.concat([this.#begun, written]);
    const end = head.indexOf(headEnd);
    if (end === -1) {
      this.#begun = head;
      if (head.length > longestHead) this.#place = { is: 'unknown' };
      return nothing;
    }
    this.#begun = nothing;
    const switches = /^HTTP\/1\.1 101[ \r]/.test(head.toString('latin1', 0, 16));
    this.#place = switches ? { is: 'talking', payload: 0 } : { is: 'unknown' };
    return head.subarray(end + headEnd.length);
  }

  #takeFrame(written: Buffer, payload: number): Buffer {
    if (payload > 0) {
      this.#place = { is: 'talking', payload: Math.max(0, payload - written.length) };
      return written.subarray(Math.min(payload, written.length));
    }
    const bytes = this.#begun.length === 0 ? written : Buffer.concat([this.#begun, written]);
    const header = readHeader(bytes);
    if (header === null) {
      // A copy: the application may use its own again.
      this.#begun = Buffer.from(bytes);
      return nothing;
    }
    this.#begun = nothing;
    this.#place = header.opcode === closeOpcode ? { is: 'closing' } : { is: 'talking', payload: header.payload };
    return bytes.subarray(header.length);
  }
}

/** The header at the beginning of `bytes`; null where it is not there whole. */
function readHeader(bytes: Buffer): { opcode: number; length: number; payload: number } | null {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return null;
  const short = second & 0x7f;
  const masked = (second & 0x80) === 0 ? 0 : 4;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  const length = 2 + extended + masked;
  if (bytes.length < length) return null;
  const payload = extended === 0 ? short : extended === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  return { opcode: first & 0x0f, length, payload };
}
