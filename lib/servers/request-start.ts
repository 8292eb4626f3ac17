import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';

/** Published by Node for every HTTP/1 request of every server, before its `'request'`, `'checkContinue'` … is emitted. */
const channel = 'http.server.request.start';

/** An HTTP/1 request that has begun, with the answer that it gets. */
export interface RequestStart {
  readonly server: Server;
  readonly socket: Socket;
  readonly response: ServerResponse;
}

/**
 * Tells of every HTTP/1 request of `server`, until the returned function is called. Not by the `'request'` event: with
 * `Expect: 100-continue` there is another, and listening to that changes what Node does.
 */
export function onRequestStart(server: Server, begin: (start: RequestStart) => void): () => void {
  const listener = (message: unknown) => {
    const start = message as RequestStart;
    if (start.server === server) begin(start);
  };
  subscribe(channel, listener);
  return () => unsubscribe(channel, listener);
}
