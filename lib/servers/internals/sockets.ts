/** What Node keeps of a socket. */

import type { Socket } from 'node:net';
import { HandoffError } from '../../fd/handoff-error.ts';

export interface SocketInternals {
  readonly _handle?: {
    readonly fd?: number;
    reading?: boolean;
    readStop?: () => void;
    readStart?: () => void;
  } | null;
  readonly _readableState?: {
    readonly buffer?: Iterable<Buffer | string>;
    readonly bufferIndex?: number;
    readonly decoder?: { readonly lastNeed?: number; readonly lastTotal?: number; readonly lastChar?: Buffer } | null;
  };
  readonly _parent?: unknown;
}

/** The descriptor number of a connected socket; borrowed. Relies on `socket._handle.fd`. */
export function descriptorOf(socket: Socket): number {
  const fd = (socket as unknown as SocketInternals)._handle?.fd;
  if (typeof fd === 'number' && fd >= 0) return fd;
  throw new HandoffError(
    'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
    `This runtime (${process.version}) does not tell a socket's descriptor number, or the socket is closed.`,
  );
}

/**
 * Stops reading from a socket, at once: `pause()` lets one more read happen, whose bytes would be lost to the process
 * that has the connection then. Returns whether it could. Relies on `_handle.readStop()` and `_handle.reading`.
 */
export function stopReading(socket: Socket): boolean {
  const handle = (socket as unknown as SocketInternals)._handle;
  if (handle == null || typeof handle.readStop !== 'function') return false;
  handle.reading = false;
  handle.readStop();
  return true;
}

/** Reads again after `stopReading`. */
export function resumeReading(socket: Socket): void {
  const handle = (socket as unknown as SocketInternals)._handle;
  if (handle == null || typeof handle.readStart !== 'function') return;
  handle.reading = true;
  handle.readStart();
}

/**
 * What Node has read from a socket and the application has not, without taking it away; null where that cannot be told.
 * `socket.read()` would give it to the listeners of 'data', and could begin to read anew. Relies on
 * `_readableState.buffer`, with `bufferIndex` from Node 22 on, and checks it against `readableLength`; with
 * `setEncoding()` also on the decoder's `lastChar`: the bytes of a character that has not come whole.
 */
export function unreadBytes(socket: Socket): Buffer | null {
  const { buffer, bufferIndex = 0, decoder } = (socket as unknown as SocketInternals)._readableState ?? {};
  if (buffer == null || typeof buffer[Symbol.iterator] !== 'function') return null;
  const chunks = [...buffer].slice(bufferIndex);
  if (chunks.reduce((sum, chunk) => sum + chunk.length, 0) !== socket.readableLength) return null;
  const encoding = socket.readableEncoding ?? 'utf8';
  const bytes = chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk));
  if (decoder != null) {
    const { lastChar, lastNeed, lastTotal } = decoder;
    if (lastChar === undefined || lastNeed === undefined || lastTotal === undefined) return null;
    bytes.push(lastChar.subarray(0, lastTotal - lastNeed));
  }
  return Buffer.concat(bytes);
}
