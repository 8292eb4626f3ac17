import { once } from 'node:events';
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

/** Where a client connects to. */
export type Target = { readonly port: number } | { readonly path: string };

/**
 * A client of the line protocol (programs/lines.js). It numbers what it sends, and fails on the first line of the server
 * that is not the next one, on an answer to anything but the next of its own lines, and on a close that it did not ask for.
 */
export class LineClient implements Disposable {
  readonly socket: Socket;
  /** What went wrong, in words; empty while all is well. */
  readonly faults: string[] = [];
  /** Which process said each line, in order of appearance. */
  readonly pids: number[] = [];
  sent = 0;
  answered = 0;
  received = 0;
  #pending = Buffer.alloc(0);
  #unsent = Buffer.alloc(0);
  #closing = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay();
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.faults.push(error.message));
    socket.on('close', () => {
      if (!this.#closing) this.faults.push('the connection was closed');
    });
  }

  static async connect(target: Target, encrypted: 'tls' | 'plain' = 'plain'): Promise<LineClient> {
    const options = 'path' in target ? target : { host: '127.0.0.1', ...target };
    const socket =
      encrypted === 'tls'
        ? connectTls({ ...options, rejectUnauthorized: false } as ConnectionOptions)
        : connect(options as TcpNetConnectOpts);
    const client = new LineClient(socket);
    await once(socket, encrypted === 'tls' ? 'secureConnect' : 'connect');
    return client;
  }

  get pid(): number {
    return this.pids.at(-1) as number;
  }

  /** Sends a whole line, which the server answers, and what is left of the one before. */
  say(text = 'hello'): void {
    this.#queue(text);
    this.flush();
  }

  /** Sends some of what is not sent yet, of a next line if there is nothing: it can end within a character. */
  sayInPieces(): void {
    if (this.#unsent.length === 0) this.#queue('pieces of ü, € and 😀');
    const length = 1 + Math.floor(Math.random() * this.#unsent.length);
    this.socket.write(this.#unsent.subarray(0, length));
    this.#unsent = this.#unsent.subarray(length);
  }

  flush(): void {
    if (this.#unsent.length > 0) this.socket.write(this.#unsent);
    this.#unsent = Buffer.alloc(0);
  }

  /** Sends a line that is not numbered and not answered as one. */
  command(text: string): void {
    this.flush();
    this.socket.write(`${text}\n`);
  }

  /** Resolves when all that was said is answered; fails with what went wrong before that. */
  async settled(): Promise<void> {
    this.flush();
    await this.until(() => this.answered === this.sent);
  }

  /** Resolves with the pid of the process that answers now. */
  async ask(): Promise<number> {
    this.say();
    await this.settled();
    return this.pid;
  }

  /** Resolves when the server has said so many lines in all. */
  async heard(lines: number): Promise<void> {
    await this.until(() => this.received >= lines);
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.faults.length > 0) throw new Error(this.faults.join('; '));
      await new Promise<void>((resolve) => {
        const proceed = () => {
          this.socket.off('data', proceed).off('close', proceed);
          resolve();
        };
        this.socket.once('data', proceed).once('close', proceed);
      });
    }
    if (this.faults.length > 0) throw new Error(this.faults.join('; '));
  }

  [Symbol.dispose](): void {
    this.#closing = true;
    this.socket.destroy();
  }

  #queue(text: string): void {
    this.#unsent = Buffer.concat([this.#unsent, Buffer.from(`${++this.sent} ${text}\n`)]);
  }

  #take(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    for (let end = this.#pending.indexOf(10); end >= 0; end = this.#pending.indexOf(10)) {
      this.#line(this.#pending.subarray(0, end).toString());
      this.#pending = this.#pending.subarray(end + 1);
    }
  }

  #line(line: string): void {
    const [sequence, what, number, ...rest] = line.split(' ');
    if (Number(sequence) !== this.received + 1) this.faults.push(`after line ${this.received} came: ${line}`);
    this.received = Number(sequence);
    if (what === 'answer') {
      if (Number(number) !== this.answered + 1) this.faults.push(`after answer ${this.answered} came: ${line}`);
      if (line.includes('\ufffd')) this.faults.push(`a character was lost: ${line}`);
      this.answered = Number(number);
    }
    const pid = Number(rest.at(-1) ?? number);
    if (pid !== this.pid) this.pids.push(pid);
  }
}
