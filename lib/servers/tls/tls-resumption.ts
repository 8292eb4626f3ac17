import { createHash } from 'node:crypto';
import type { Server as TlsServer } from 'node:tls';
import type { Json } from '../../channel/frame.ts';
import { setSessionIdContext } from '../internals/tls.ts';

/**
 * What a client's TLS session depends on besides the certificate. Without it every client of an https server makes a full
 * handshake after a replacement: Node makes new ticket keys for every server, and its session id context is a hash of the
 * command line, which a new version may change.
 */
interface Resumption {
  readonly ticketKeys: string;
  readonly sessionIdContext: string | null;
}

export function saveResumption(server: TlsServer): Json {
  return { ticketKeys: server.getTicketKeys().toString('base64'), sessionIdContext: sessionIdContextOf(server) };
}

/** Lets clients of the predecessor resume here. Keys and context that the application has chosen itself are left alone. */
export function restoreResumption(server: TlsServer, saved: Json): void {
  if (!isResumption(saved)) return;
  const keys = Buffer.from(saved.ticketKeys, 'base64');
  if (!hasOwnKeys(server) && keys.length === server.getTicketKeys().length) server.setTicketKeys(keys);
  if (saved.sessionIdContext !== null && sessionIdContextOf(server) === defaultSessionIdContext()) {
    setSessionIdContext(server, saved.sessionIdContext);
  }
}

function isResumption(value: Json): value is Json & Resumption {
  return typeof value === 'object' && value !== null && 'ticketKeys' in value && typeof value.ticketKeys === 'string';
}

/** Node keeps the options of `createServer` on the server, these two under their own names. */
function sessionIdContextOf(server: TlsServer): string | null {
  const { sessionIdContext } = server as { sessionIdContext?: unknown };
  return typeof sessionIdContext === 'string' ? sessionIdContext : null;
}

function hasOwnKeys(server: TlsServer): boolean {
  return (server as { ticketKeys?: unknown }).ticketKeys !== undefined;
}

/** As Node computes it: `Server.prototype.setSecureContext` in lib/_tls_wrap.js. */
function defaultSessionIdContext(): string {
  return createHash('sha1').update(process.argv.join(' ')).digest('hex').slice(0, 32);
}
