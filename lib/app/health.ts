import type { IncomingMessage, ServerResponse } from 'node:http';

/** What a health check is told. */
export interface Health {
  /** Whether this process serves, or another one in its place. */
  readonly healthy: boolean;
  readonly pid: number;
  readonly generation: number;
  readonly phase: string;
}

/** A request listener that answers with what `look` finds at that moment: 200, or 503 for a service that ends. */
export function healthListener(look: () => Health): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const { healthy, ...details } = look();
    const body = JSON.stringify({ status: healthy ? 'ok' : 'unavailable', ...details });
    response.writeHead(healthy ? 200 : 503, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      // An answer that somebody keeps says nothing about now.
      'cache-control': 'no-store',
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
}
