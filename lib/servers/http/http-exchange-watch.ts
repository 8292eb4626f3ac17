import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';

/** Published by Node for every HTTP/1 request of every server, before its `'request'`, `'checkContinue'` … is emitted. */
const startChannel = 'http.server.request.start';

/** Published when the last byte of an answer is in the kernel's hands, before anything is done with its connection. */
const finishChannel = 'http.server.response.finish';

/** An HTTP/1 request, with the answer that it gets. */
export interface HttpExchange {
  readonly server: Server;
  readonly socket: Socket;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface HttpExchangeWatcher {
  readonly begun: (exchange: HttpExchange) => void;
  readonly answered?: (exchange: HttpExchange) => void;
}

/**
 * Tells of every HTTP/1 request of `server`, and of the end of every answer, until the returned function is called. Not by
 * the `'request'` event: with `Expect: 100-continue` there is another, and listening to that changes what Node does.
 *
 * To be called for a drain, and not before: what is published costs a request 3 % of its time, and nothing of it is to be
 * held when it is over.
 */
export function watchExchanges(server: Server, { begun, answered }: HttpExchangeWatcher): () => void {
  const onStart = (message: unknown) => {
    const exchange = message as HttpExchange;
    if (exchange.server === server) begun(exchange);
  };
  const onFinish = (message: unknown) => {
    const exchange = message as HttpExchange;
    if (exchange.server === server) answered?.(exchange);
  };
  subscribe(startChannel, onStart);
  if (answered !== undefined) subscribe(finishChannel, onFinish);
  return () => {
    unsubscribe(startChannel, onStart);
    unsubscribe(finishChannel, onFinish);
  };
}
