import dgram, { type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';

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
    const [message] = (await once(this.socket, 'message')) as [Buffer, RemoteInfo];
    return message.toString();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.socket, 'close');
    this.socket.close();
    await closed;
  }
}
