import { once } from 'node:events';
import net from 'node:net';
import { encodeFrame, type Frame, FrameDecoder, type FrameName, type JsonObject } from '../../lib/channel/frame.ts';

/** Somebody on a control path who does what a test wants, whether or not a process with this library would. */
export class ControlStub implements AsyncDisposable {
  /** What visitors have said, in order. */
  readonly heard: Frame[] = [];
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(serve: (socket: net.Socket, stub: ControlStub) => void) {
    this.#server = net.createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
      serve(socket, this);
    });
  }

  static async at(path: string, serve: (socket: net.Socket, stub: ControlStub) => void): Promise<ControlStub> {
    const stub = new ControlStub(serve);
    stub.#server.listen(path.replace(/^@/, '\0'));
    await once(stub.#server, 'listening');
    return stub;
  }

  /** One that answers every HELLO with the same frames, and closes then. */
  static answering(path: string, ...frames: [FrameName, JsonObject][]): Promise<ControlStub> {
    return ControlStub.at(path, (socket, stub) => {
      stub.onFrame(socket, () => {
        for (const [name, payload] of frames) ControlStub.reply(socket, name, payload);
        socket.end();
      });
    });
  }

  static reply(socket: net.Socket, name: FrameName, payload: JsonObject): void {
    socket.write(encodeFrame(name, payload));
  }

  onFrame(socket: net.Socket, listener: (frame: Frame) => void): void {
    const decoder = new FrameDecoder();
    socket.on('data', (chunk) => {
      for (const frame of decoder.push(chunk)) {
        this.heard.push(frame);
        listener(frame);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
