import type { Server } from 'node:net';

/**
 * Calls `act` when the application closes `server`, before anything of it is closed; also where that is by
 * `Symbol.asyncDispose`, or by a framework. Node itself tells only when the last connection has ended.
 *
 * @returns stops watching
 */
export function onClose(server: Server, act: () => void): () => void {
  const own = Object.getOwnPropertyDescriptor(server, 'close');
  const { close } = server;
  const watched = function watched(this: Server, ...rest: Parameters<Server['close']>): Server {
    act();
    return close.apply(this, rest);
  };
  server.close = watched;
  return () => {
    // Somebody else may have put a method of theirs over ours, which goes on calling it.
    if (server.close !== watched) return;
    if (own === undefined) Reflect.deleteProperty(server, 'close');
    else Object.defineProperty(server, 'close', own);
  };
}
