import type { Socket } from 'node:net';
import { resumeReading, stopReading, unreadBytes } from '../internals/sockets.ts';

/**
 * A socket of which it is open whose it is: nobody reads from it here, neither Node from the kernel nor the application
 * what Node has read. Its listeners stay, and hear nothing.
 */
export class HeldSocket {
  readonly socket: Socket;
  /** What Node has read and the application has not. */
  readonly unread: Buffer;

  private constructor(socket: Socket, unread: Buffer) {
    this.socket = socket;
    this.unread = unread;
    // Whatever is to consume a stream's data, a 'data' listener, a pipe, an iterator, gets it through this method.
    socket.read = () => null;
  }

  /** Holds a socket from now on; null where that cannot be done, and then nothing was. */
  static hold(socket: Socket): HeldSocket | null {
    // One that is being closed by this process is nobody else's.
    if (socket.destroyed || !socket.writable || !stopReading(socket)) return null;
    const unread = unreadBytes(socket);
    if (unread !== null) return new HeldSocket(socket, unread);
    resumeReading(socket);
    return null;
  }

  /**
   * Resolves when all that was written before is in the kernel's hands: with true, or with false where the socket is closed
   * before that or `timeout` milliseconds are over.
   */
  async flush(timeout: number): Promise<boolean> {
    const { socket } = this;
    const expiry = new AbortController();
    const timer = setTimeout(() => expiry.abort(), timeout);
    const expired = new Promise<void>((resolve) => {
      expiry.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    try {
      while (socket.writableLength > 0 && socket.writable && !expiry.signal.aborted) {
        // 'drain' comes only where a write had returned false; the callback of an empty one comes after all before it.
        const written = new Promise<void>((resolve) => {
          socket.write('', () => resolve());
        });
        await Promise.race([written, expired]);
      }
    } finally {
      clearTimeout(timer);
    }
    return socket.writableLength === 0 && socket.writable;
  }

  /** It is ours after all: everything goes on as if nothing had been. */
  release(): void {
    const { socket } = this;
    Reflect.deleteProperty(socket, 'read');
    if (socket.destroyed) return;
    resumeReading(socket);
    // What a stream wanted to do meanwhile came to nothing, and it does not try again by itself.
    if (socket.readableFlowing === true) while (socket.readableFlowing && socket.read() !== null);
    else if (socket.readableLength > 0 && socket.listenerCount('readable') > 0) socket.emit('readable');
  }

  /** It is another process's: close(2) alone, which the client does not notice, and what was unread is nobody's here. */
  relinquish(): void {
    const { socket } = this;
    Reflect.deleteProperty(socket, 'read');
    socket.destroy();
    // Some who use sockets (ws does) read what is left when they hear that it is closed: it is being served elsewhere.
    const { emit } = socket;
    socket.emit = (event: string | symbol, ...args: unknown[]) =>
      event !== 'data' && (emit as (...all: unknown[]) => boolean).call(socket, event, ...args);
    socket.read();
    Reflect.deleteProperty(socket, 'emit');
  }
}
