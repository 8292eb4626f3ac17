import type { Socket } from 'node:net';

/**
 * How long a peer may take to read the last word and to close its end. One that is alive does so at once; one that is
 * stopped must not keep this process.
 */
const lingerLimit = 1_000;

/**
 * Ends `socket` so that its peer can read everything that was said: our half is closed now, the rest when the peer has
 * closed its own. A connection that is closed at once makes the peer's next write fail, and a write that fails throws
 * away what the peer had not read yet: the reason for the end, of all things.
 */
export function endGently(socket: Socket): void {
  if (socket.destroyed) return;
  const limit = setTimeout(() => socket.destroy(), lingerLimit);
  socket.once('close', () => clearTimeout(limit));
  socket.end();
  // Only a socket that is read notices its peer's end.
  socket.resume();
}
