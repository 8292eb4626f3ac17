/** What Node's TLS keeps. */

import { Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import type { SocketInternals } from './sockets.ts';

/**
 * The socket that an encrypted one of a server stands on. Relies on `tlsSocket._parent`; where that is gone it is null,
 * and one connection is counted as two.
 */
export function bareSocketOf(encrypted: Socket): Socket | null {
  const parent = (encrypted as unknown as SocketInternals)._parent;
  return parent instanceof Socket ? parent : null;
}

/**
 * Changes the session id context of a TLS server that has been made already. Relies on `server._sharedCreds.context`;
 * where that is gone clients of the predecessor make a full handshake.
 */
export function setSessionIdContext(server: TlsServer, sessionIdContext: string): void {
  const internals = server as unknown as {
    sessionIdContext?: string;
    _sharedCreds?: { context?: { setSessionIdContext?: (value: string) => void } };
  };
  const context = internals._sharedCreds?.context;
  if (typeof context?.setSessionIdContext !== 'function') return;
  context.setSessionIdContext(sessionIdContext);
  internals.sessionIdContext = sessionIdContext;
}
