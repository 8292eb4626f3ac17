/** Many keep-alive connections that have had one answer each and then say nothing, until they are asked whether they live. */
import net from 'node:net';

const request = Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');

/** How many connect at a time: more than a listener's queue holds would have to try again. */
const connectingAtOnce = 100;

/** How long an answer may take, in milliseconds. */
const answerDeadline = 10_000;

export class IdleClients {
  readonly #sockets: net.Socket[] = [];

  static async connect(port: number, count: number): Promise<IdleClients> {
    const clients = new IdleClients();
    for (let connected = 0; connected < count; connected += connectingAtOnce) {
      const some = Math.min(connectingAtOnce, count - connected);
      await Promise.all(Array.from({ length: some }, () => clients.#connectOne(port)));
    }
    return clients;
  }

  /** How many of them get no answer to another request. */
  async lost(): Promise<number> {
    let lost = 0;
    for (let start = 0; start < this.#sockets.length; start += connectingAtOnce) {
      const some = this.#sockets.slice(start, start + connectingAtOnce);
      const answered = await Promise.all(some.map((socket) => answer(socket)));
      lost += answered.filter((each) => !each).length;
    }
    return lost;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #connectOne(port: number): Promise<void> {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => {});
    this.#sockets.push(socket);
    if (!(await answer(socket))) throw new Error('a connection got no answer');
  }
}

/** Sends a request; whether an answer came. */
function answer(socket: net.Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (answered: boolean) => {
      clearTimeout(deadline);
      socket.off('data', came).off('close', gone);
      resolve(answered);
    };
    const came = () => settle(true);
    const gone = () => settle(false);
    const deadline = setTimeout(gone, answerDeadline);
    socket.once('data', came).once('close', gone);
    if (socket.destroyed) gone();
    else socket.write(request);
  });
}
