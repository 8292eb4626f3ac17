/**
 * One connection of a load client: a raw socket that carries one request at a time and gives exactly one verdict on each.
 */
import net from 'node:net';
import { type Response, ResponseParser } from './response-parser.ts';

/** What a client can see go wrong. */
export const FAILURE_KINDS = [
  /** Nobody listens there: ECONNREFUSED, or a Unix path that is missing (ENOENT) or whose queue is full (EAGAIN). */
  'refused',
  /** ECONNRESET or EPIPE with a request under way. */
  'reset',
  /** The end of the stream where an answer should have begun, also if the request crossed the close on the wire. */
  'closed-before-answer',
  /** The end of the stream in the middle of an answer. */
  'closed-within-answer',
  'timed-out',
  'bad-status',
  /** Not HTTP, contradicting framing, or bytes that no request asked for. */
  'malformed',
  /** Any other system error, such as EMFILE or EADDRNOTAVAIL of this very process. */
  'other',
] as const;

export type FailureKind = (typeof FAILURE_KINDS)[number];

export interface Failure {
  readonly kind: FailureKind;
  readonly message: string;
}

/**
 * How an idle connection, or one whose answer is complete, was closed by the server: as it had said in its last answer,
 * or without a word.
 */
export type CloseManner = 'announced' | 'unannounced';

/** Who is told. Except after `answered` without an announced close, the connection is gone when it tells. */
export interface ConnectionOwner {
  answered(response: Response): void;
  failed(failure: Failure, localPort: number | undefined): void;
  closed(manner: CloseManner): void;
  /** Bytes came that no request asked for; the answer before them, if any, was told already or is told next. */
  unsolicited(failure: Failure, localPort: number | undefined): void;
}

export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface ConnectionOptions {
  readonly address: Address;
  readonly method: string;
  readonly keepBody: boolean;
}

/**
 * `waiting`: a request was written and its answer is not complete. `idle`: none is under way. `gone`: the verdict is
 * given, and whatever the socket still says is of no interest.
 */
type ConnectionState = 'idle' | 'waiting' | 'gone';

function failureOf(error: NodeJS.ErrnoException): Failure {
  const { code, syscall, message } = error;
  if (code === 'ECONNRESET' || code === 'EPIPE') return { kind: 'reset', message };
  if (code === 'ECONNREFUSED') return { kind: 'refused', message };
  if (syscall === 'connect' && (code === 'ENOENT' || code === 'EAGAIN')) return { kind: 'refused', message };
  return { kind: 'other', message };
}

export class ClientConnection {
  readonly #socket: net.Socket;
  readonly #parser: ResponseParser;
  readonly #owner: ConnectionOwner;
  #state: ConnectionState = 'idle';
  #localPort: number | undefined;

  constructor(options: ConnectionOptions, owner: ConnectionOwner) {
    this.#owner = owner;
    this.#parser = new ResponseParser(options);
    const { address } = options;
    this.#socket =
      address.kind === 'unix'
        ? net.connect({ path: address.path })
        : // One attempt at one address: trying a second one after a failure would be a retry.
          net.connect({ host: address.host, port: address.port, noDelay: true, autoSelectFamily: false });
    this.#socket.once('connect', () => {
      // Asked for now, as a socket that has failed cannot tell it any more.
      this.#localPort = this.#socket.localPort;
    });
    this.#socket.on('data', (bytes) => this.#read(bytes));
    this.#socket.on('end', () => this.#ended());
    this.#socket.on('error', (error) => this.#errored(error));
  }

  /** Absent before the connection is made, and on a Unix socket. */
  get localPort(): number | undefined {
    return this.#localPort;
  }

  /** Sends a request. Only for a connection without one under way. */
  send(request: Buffer): void {
    if (this.#state !== 'idle') throw new Error(`a request on a connection that is ${this.#state}`);
    this.#state = 'waiting';
    this.#socket.write(request);
  }

  /** Gives the request under way up. */
  timeOut(timeout: number): void {
    if (this.#state !== 'waiting') return;
    const progress = this.#parser.begun ? 'the answer was incomplete' : 'no byte of an answer had come';
    this.#fail({ kind: 'timed-out', message: `after ${timeout} ms ${progress}` });
  }

  /** Closes from this side, which is nobody's failure. */
  close(): void {
    this.#state = 'gone';
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    if (this.#state === 'gone') return;
    if (this.#state === 'idle') {
      this.#unsolicited(bytes.length);
      return;
    }
    const progress = this.#parser.read(bytes);
    switch (progress.kind) {
      case 'incomplete':
        return;
      case 'malformed':
        this.#fail({ kind: 'malformed', message: progress.reason });
        return;
      case 'complete':
        this.#state = 'idle';
        if (progress.surplus > 0) this.#unsolicited(progress.surplus);
        if (progress.response.announcesClose) this.#closed('announced');
        this.#owner.answered(progress.response);
        return;
      default:
        progress satisfies never;
    }
  }

  #ended(): void {
    if (this.#state === 'gone') return;
    if (this.#state === 'idle') {
      this.#closed('unannounced');
      return;
    }
    const progress = this.#parser.end();
    if (progress.kind === 'complete') {
      this.#closed('announced');
      this.#owner.answered(progress.response);
    } else if (this.#parser.begun) {
      this.#fail({ kind: 'closed-within-answer', message: 'the stream ended within an answer' });
    } else {
      this.#fail({ kind: 'closed-before-answer', message: 'the stream ended before an answer' });
    }
  }

  #errored(error: NodeJS.ErrnoException): void {
    if (this.#state === 'gone') return;
    if (this.#state === 'idle') this.#closed('unannounced');
    else this.#fail(failureOf(error));
  }

  #closed(manner: CloseManner): void {
    // Bytes after the answer may have ended the connection already; the announcement was made all the same.
    this.close();
    this.#owner.closed(manner);
  }

  #fail(failure: Failure): void {
    this.close();
    this.#owner.failed(failure, this.#localPort);
  }

  #unsolicited(length: number): void {
    this.close();
    this.#owner.unsolicited(
      { kind: 'malformed', message: `${length} bytes that no request asked for` },
      this.#localPort,
    );
  }
}
