import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';

/** A client that writes exactly what it is told, and sees exactly what comes: no agent, no retries. */
export class RawClient implements Disposable {
  readonly socket: net.Socket;
  /** Resolves with everything that came, when the server has closed. */
  readonly closed: Promise<string>;
  received = '';

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.received += text;
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', () => resolve(this.received)));
  }

  /** A connection, encrypted where `encrypted` says so, with the handshake done. */
  static async connect(port: number, encrypted: 'tls' | 'plain' = 'plain', host = '127.0.0.1'): Promise<RawClient> {
    const client = new RawClient(
      encrypted === 'tls' ? tls.connect({ port, host, rejectUnauthorized: false }) : net.connect(port, host),
    );
    await once(client.socket, encrypted === 'tls' ? 'secureConnect' : 'connect');
    return client;
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Resolves when `count` times `text` has come. Rejects when the connection ends before that. */
  async until(text: string, count = 1): Promise<void> {
    while (this.received.split(text).length <= count) {
      if (this.socket.closed) throw new Error(`closed before ${JSON.stringify(text)} came: ${this.received}`);
      await new Promise<void>((resolve) => {
        const proceed = () => {
          this.socket.off('data', proceed).off('close', proceed);
          resolve();
        };
        this.socket.once('data', proceed).once('close', proceed);
      });
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
