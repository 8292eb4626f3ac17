import type { Socket } from 'node:net';
import { OutgoingFrames } from './outgoing-frames.ts';

/** Why a WebSocket is closed, RFC 6455, section 7.4, and the registry of its codes. */
export const closeCodes = {
  /** Going Away. */
  shutdown: 1001,
  /** Service Restart: come again at once. */
  handoff: 1012,
} as const;

/** A close frame of a server: final, unmasked, with nothing in it but the code. */
function closeFrame(code: number): Buffer {
  return Buffer.from([0x88, 0x02, code >> 8, code & 0xff]);
}

/**
 * One WebSocket of the application, and how it can be told that its server leaves: by a close frame between two of its own
 * frames. Instead of being cut off (1006) the client is told why, and comes again.
 */
export class WebSocketFarewell {
  readonly #socket: Socket;
  readonly #frames = new OutgoingFrames();
  readonly #write: Socket['write'];
  #said = false;

  /** @param socket its handshake is not answered yet: what is written from now on is followed */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.#write = socket.write;
    socket.write = this.#follow.bind(this) as Socket['write'];
  }

  /** Whether it can be told now: not in the middle of a frame, not twice, and not where it is closing already. */
  get isDue(): boolean {
    return !this.#said && this.#frames.atBoundary && this.#socket.writable;
  }

  say(code: number): void {
    this.#said = true;
    this.#write.call(this.#socket, closeFrame(code));
  }

  #follow(chunk: Uint8Array | string, ...rest: unknown[]): boolean {
    if (this.#said) {
      // Nothing may follow a close frame (section 5.5.1). To whoever writes it is as if the client had not read it, which
      // it would not: it answers the close, and is gone.
      const done = rest.find((argument) => typeof argument === 'function') as (() => void) | undefined;
      if (done !== undefined) process.nextTick(done);
      return true;
    }
    const encoding = typeof rest[0] === 'string' ? (rest[0] as BufferEncoding) : 'utf8';
    if (typeof chunk === 'string') this.#frames.push(Buffer.from(chunk, encoding));
    else if (chunk instanceof Uint8Array) this.#frames.push(chunk);
    return (this.#write as (...all: unknown[]) => boolean).call(this.#socket, chunk, ...rest);
  }
}
