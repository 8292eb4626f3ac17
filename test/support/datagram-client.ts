import dgram, { type Socket } from 'node:dgram';
import { on, once } from 'node:events';

/** A sender of datagrams that hears what is answered. */
export class DatagramClient implements AsyncDisposable {
  readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket;
  }

  static async open(type: 'udp4' | 'udp6' = 'udp4'): Promise<DatagramClient> {
    const socket = dgram.createSocket(type);
    socket.bind(0, type === 'udp4' ? '127.0.0.1' : '::1');
    await once(socket, 'listening');
    return new DatagramClient(socket);
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** Resolves when the kernel has it, which on the loopback interface means: when it is in the receiver's buffer. */
  send(text: string, port: number, address = this.socket.address().address): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.send(text, port, address, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** The next datagram that comes here. */
  async next(): Promise<string> {
    const [text] = await this.take(1);
    return text as string;
  }

  /** The next that come here, as many as that. */
  async take(count: number): Promise<string[]> {
    const texts: string[] = [];
    for await (const [message] of on(this.socket, 'message')) {
      texts.push(String(message));
      if (texts.length === count) break;
    }
    return texts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.socket, 'close');
    this.socket.close();
    await closed;
  }
}
