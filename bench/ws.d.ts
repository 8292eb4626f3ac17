/** What the demo and the tests use of `ws`, which brings no types along. */
declare module 'ws' {
  import type { EventEmitter } from 'node:events';

  interface ClientOptions {
    readonly perMessageDeflate?: boolean | { readonly threshold?: number };
    readonly handshakeTimeout?: number;
  }

  interface SendOptions {
    /** Whether this is the last fragment of the message. */
    readonly fin?: boolean;
    readonly compress?: boolean;
  }

  interface Events {
    open: [];
    message: [data: Buffer, isBinary: boolean];
    close: [code: number, reason: Buffer];
    error: [error: Error];
  }

  export class WebSocket extends EventEmitter<Events> {
    constructor(address: string, options?: ClientOptions);
    readonly extensions: string;
    send(data: string | Buffer, options?: SendOptions): void;
    close(code?: number, reason?: string): void;
    terminate(): void;
  }

  export class WebSocketServer extends EventEmitter<{ connection: [webSocket: WebSocket]; listening: [] }> {
    constructor(options: { readonly host: string; readonly port: number });
    address(): { readonly port: number };
    close(): void;
  }
}
