/**
 * A strict parser of HTTP/1.x answers, one connection's worth.
 *
 * Node's own client would repair, retry or hide what goes wrong on the wire; a load client that counts what a user
 * can see fail must see it first. So nothing is forgiven here: lines end in CRLF, lengths are digits, an answer has one
 * framing, and bytes that nobody asked for are reported.
 */

/** One complete answer. */
export interface Response {
  readonly status: number;
  /** Names in lower case; repeated ones joined by a comma. */
  readonly headers: ReadonlyMap<string, string>;
  /** The body, if the parser was told to keep it; empty otherwise. */
  readonly body: Buffer;
  /** The server says that it closes: `Connection: close`, HTTP/1.0 without keep-alive, or a body that only ends with the connection. */
  readonly announcesClose: boolean;
}

/** What the bytes so far amount to. */
export type Progress =
  | { readonly kind: 'incomplete' }
  /** `surplus`: how many bytes came after the end of the answer, which no request asked for. */
  | { readonly kind: 'complete'; readonly response: Response; readonly surplus: number }
  | { readonly kind: 'malformed'; readonly reason: string };

export interface ResponseParserOptions {
  /** The answer to HEAD has no body, whatever its headers say. */
  readonly method?: string;
  /** Keep bodies. Left off they are counted through, never copied. */
  readonly keepBody?: boolean;
}

interface Head {
  readonly status: number;
  readonly headers: Map<string, string>;
  readonly announcesClose: boolean;
}

type State =
  | { readonly kind: 'head'; readonly received: Buffer }
  | { readonly kind: 'body'; readonly head: Head; remaining: number }
  | { readonly kind: 'body-until-close'; readonly head: Head }
  | { readonly kind: 'chunk-size'; readonly head: Head; line: string }
  | { readonly kind: 'chunk'; readonly head: Head; remaining: number }
  | { readonly kind: 'chunk-end'; readonly head: Head; line: string }
  | { readonly kind: 'trailer'; readonly head: Head; line: string };

const NOTHING = Buffer.alloc(0);
const INCOMPLETE: Progress = { kind: 'incomplete' };
const START: State = { kind: 'head', received: NOTHING };
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const VERSION_PREFIX = Buffer.from('HTTP/1.');
const HEAD_LIMIT = 64 * 1024;
const LINE_LIMIT = 8 * 1024;

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const HEADER_LINE =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(|[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)[ \t]*$/;
const CHUNK_SIZE_LINE = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

/** Thrown inside the parser only, and turned into `malformed` at its border. */
class Malformed extends Error {}

/** A readable, short form of bytes for a message. */
function excerpt(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

function parseHead(text: string): Head & { readonly interim: boolean } {
  const lines = text.split('\r\n');
  const statusLine = lines[0] ?? '';
  const match = STATUS_LINE.exec(statusLine);
  if (!match) throw new Malformed(`not a status line: ${excerpt(statusLine)}`);
  const status = Number(match[2]);
  const headers = new Map<string, string>();
  for (let index = 1; index < lines.length; index++) {
    const line = lines[index] ?? '';
    const header = HEADER_LINE.exec(line);
    if (!header) throw new Malformed(`not a header line: ${excerpt(line)}`);
    const name = (header[1] ?? '').toLowerCase();
    const value = header[2] ?? '';
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  // Nothing here ever asks for another protocol, so an agreement to switch is an answer to somebody else's question.
  if (status === 101) throw new Malformed('101 Switching Protocols, which was not asked for');
  const connection = (headers.get('connection') ?? '').toLowerCase().split(/[ \t]*,[ \t]*/);
  const announcesClose = connection.includes('close') || (match[1] === '0' && !connection.includes('keep-alive'));
  return { status, headers, announcesClose, interim: status < 200 };
}

export class ResponseParser {
  readonly #method: string;
  readonly #keepBody: boolean;
  #state: State = START;
  #begun = false;
  #body: Buffer[] = [];

  constructor(options: ResponseParserOptions = {}) {
    this.#method = options.method ?? 'GET';
    this.#keepBody = options.keepBody ?? false;
  }

  /** Whether at least one byte of an answer that is not complete yet has been read. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Reads the next bytes. What is kept of them is copied, as they are a small part of a large block. */
  read(bytes: Buffer): Progress {
    if (bytes.length > 0) this.#begun = true;
    try {
      return this.#read(bytes);
    } catch (error) {
      if (error instanceof Malformed) return { kind: 'malformed', reason: error.message };
      throw error;
    }
  }

  /** The connection has ended: completes a body that lasts until then, and nothing else. */
  end(): Progress {
    return this.#state.kind === 'body-until-close' ? this.#complete(this.#state.head, 0) : INCOMPLETE;
  }

  #read(bytes: Buffer): Progress {
    let at = 0;
    // Each turn consumes what one state can use; only a state that wants more than there is leaves the loop early.
    while (at < bytes.length) {
      const state = this.#state;
      switch (state.kind) {
        case 'head': {
          const received =
            state.received.length === 0 ? bytes.subarray(at) : Buffer.concat([state.received, bytes.subarray(at)]);
          // Said at once: what is not HTTP need not ever contain the blank line that is waited for.
          const prefix = Math.min(received.length, VERSION_PREFIX.length);
          if (received.compare(VERSION_PREFIX, 0, prefix, 0, prefix) !== 0) {
            throw new Malformed(`not HTTP: ${excerpt(received.toString('latin1', 0, 80))}`);
          }
          const end = received.indexOf(END_OF_HEAD, Math.max(0, state.received.length - 3));
          if ((end === -1 ? received.length : end) > HEAD_LIMIT)
            throw new Malformed(`a head of more than ${HEAD_LIMIT} bytes`);
          if (end === -1) {
            this.#state = { kind: 'head', received: Buffer.from(received) };
            return INCOMPLETE;
          }
          at += end + END_OF_HEAD.length - state.received.length;
          const head = parseHead(received.toString('latin1', 0, end));
          if (head.interim) {
            this.#state = START;
            break;
          }
          this.#state = this.#framing(head);
          if (this.#state.kind === 'body' && this.#state.remaining === 0)
            return this.#complete(head, bytes.length - at);
          break;
        }
        case 'body': {
          const take = Math.min(state.remaining, bytes.length - at);
          this.#keep(bytes, at, take);
          at += take;
          state.remaining -= take;
          if (state.remaining === 0) return this.#complete(state.head, bytes.length - at);
          break;
        }
        case 'body-until-close':
          this.#keep(bytes, at, bytes.length - at);
          at = bytes.length;
          break;
        case 'chunk-size': {
          at = this.#line(state, bytes, at);
          if (!state.line.endsWith('\r\n')) break;
          const size = CHUNK_SIZE_LINE.exec(state.line.slice(0, -2));
          if (!size) throw new Malformed(`not a chunk size: ${excerpt(state.line)}`);
          const remaining = Number.parseInt(size[1] ?? '', 16);
          this.#state =
            remaining === 0
              ? { kind: 'trailer', head: state.head, line: '' }
              : { kind: 'chunk', head: state.head, remaining };
          break;
        }
        case 'chunk': {
          const take = Math.min(state.remaining, bytes.length - at);
          this.#keep(bytes, at, take);
          at += take;
          state.remaining -= take;
          if (state.remaining === 0) this.#state = { kind: 'chunk-end', head: state.head, line: '' };
          break;
        }
        case 'chunk-end':
          state.line += String.fromCharCode(bytes[at++] ?? 0);
          if (!'\r\n'.startsWith(state.line))
            throw new Malformed(`a chunk longer than its size: ${excerpt(state.line)}`);
          if (state.line === '\r\n') this.#state = { kind: 'chunk-size', head: state.head, line: '' };
          break;
        case 'trailer':
          at = this.#line(state, bytes, at);
          if (!state.line.endsWith('\r\n')) break;
          if (state.line === '\r\n') return this.#complete(state.head, bytes.length - at);
          if (!HEADER_LINE.test(state.line.slice(0, -2)))
            throw new Malformed(`not a trailer line: ${excerpt(state.line)}`);
          state.line = '';
          break;
        default:
          return state satisfies never;
      }
    }
    return INCOMPLETE;
  }

  /** How the body of this answer ends. */
  #framing(head: Head): State {
    const coding = head.headers.get('transfer-encoding');
    const length = head.headers.get('content-length');
    // Checked before the statuses without a body: contradicting headers are wrong there too.
    if (coding !== undefined && length !== undefined) throw new Malformed('both Transfer-Encoding and Content-Length');
    if (coding !== undefined && coding.toLowerCase() !== 'chunked')
      throw new Malformed(`Transfer-Encoding ${excerpt(coding)}`);
    if (length !== undefined && !/^\d{1,15}$/.test(length)) throw new Malformed(`Content-Length ${excerpt(length)}`);
    if (this.#method === 'HEAD' || head.status === 204 || head.status === 304)
      return { kind: 'body', head, remaining: 0 };
    if (coding !== undefined) return { kind: 'chunk-size', head, line: '' };
    if (length !== undefined) return { kind: 'body', head, remaining: Number(length) };
    // Only its end on the wire tells where such a body ends: the close is part of the answer, hence announced.
    return { kind: 'body-until-close', head: { ...head, announcesClose: true } };
  }

  /** Adds to the state's line up to and with its line feed; returns where to go on. */
  #line(state: { line: string }, bytes: Buffer, at: number): number {
    const feed = bytes.indexOf(0x0a, at);
    const end = feed === -1 ? bytes.length : feed + 1;
    state.line += bytes.toString('latin1', at, end);
    if (state.line.length > LINE_LIMIT) throw new Malformed(`a line of more than ${LINE_LIMIT} bytes`);
    if (feed !== -1 && !state.line.endsWith('\r\n')) throw new Malformed(`a line without CRLF: ${excerpt(state.line)}`);
    return end;
  }

  #keep(bytes: Buffer, at: number, length: number): void {
    if (this.#keepBody && length > 0) this.#body.push(Buffer.from(bytes.subarray(at, at + length)));
  }

  #complete(head: Head, surplus: number): Progress {
    const body = this.#body.length === 0 ? NOTHING : Buffer.concat(this.#body);
    this.#state = START;
    this.#begun = false;
    if (this.#body.length > 0) this.#body = [];
    const { status, headers, announcesClose } = head;
    return { kind: 'complete', response: { status, headers, body, announcesClose }, surplus };
  }
}
