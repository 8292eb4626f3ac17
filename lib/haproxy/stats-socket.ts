import { setTimeout as delay } from 'node:timers/promises';
import { abortReason } from '../channel/deadline.ts';
import { closeAll } from '../fd/descriptor.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { MAXIMUM_DESCRIPTORS, type Message, receiveMessage, sendMessage } from '../fd/message.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import { connectTo } from '../transaction/path/control-path.ts';
import { ListenerTrust } from '../transaction/path/socket-owner.ts';

/**
 * How long is waited between two looks at the socket, in milliseconds. There is no event for one that brings descriptors:
 * whoever reads it in the usual way loses them. HAProxy answers within one or two.
 */
const lookInterval = 5;

/** More than a reply of HAProxy has, which says a few kilobytes of itself. */
const longestReply = 1024 * 1024;

/** What HAProxy writes before each of the sockets that it sends. */
const socketCount = 4;

/**
 * One question to HAProxy by its stats socket, which answers it and closes. Management guide, "Unix Socket commands".
 */
export class StatsSocket implements Disposable {
  readonly path: string;
  readonly #connection: OwnedFd;
  readonly #signal: AbortSignal;

  private constructor(path: string, connection: OwnedFd, signal: AbortSignal) {
    this.path = path;
    this.#connection = connection;
    this.#signal = signal;
  }

  /** Null where nobody listens there. */
  static async connect(path: string, signal: AbortSignal): Promise<StatsSocket | null> {
    const trust = ListenerTrust.before(path, null);
    const connection = await connectTo(path, signal);
    if (connection === null) return null;
    trust.require(connection);
    return new StatsSocket(path, connection, signal);
  }

  /** The text that a command is answered with. */
  async ask(command: string): Promise<string> {
    sendMessage(this.#connection.fd, Buffer.from(`${command}\n`));
    const chunks: Buffer[] = [];
    let length = 0;
    for (;;) {
      const { data } = await this.#receive(longestReply, 0);
      if (data.length === 0 || length > longestReply) return Buffer.concat(chunks).toString('utf8');
      chunks.push(data);
      length += data.length;
    }
  }

  /**
   * The sockets of `_getsocks` (src/cli.c of HAProxy), by which a new HAProxy takes over from an old one: how many there
   * are, as an int of the machine; then messages with at most 253 of them each, each confirmed by an int. Their bytes say
   * for each socket of which namespace and interface it is, which the kernel tells as well, and are not read.
   *
   * @throws ERR_HANDOFF_REFUSED where HAProxy does not give them, ERR_HANDOFF_TRUNCATED where not all have come: what came
   *   is closed
   */
  async takeSockets(): Promise<OwnedFd[]> {
    sendMessage(this.#connection.fd, Buffer.from('_getsocks\n'));
    const received: OwnedFd[] = [];
    try {
      const expected = await this.#receiveCount();
      while (received.length < expected) {
        const { data, fds } = await this.#receive(longestReply, MAXIMUM_DESCRIPTORS);
        received.push(...fds.map((fd) => new OwnedFd(fd, `a socket of HAProxy at ${this.path}`)));
        if (data.length === 0) throw this.#incomplete(received.length, expected);
        if (fds.length > 0) this.#confirm(received.length);
      }
      return received;
    } catch (error) {
      for (const descriptor of received) descriptor.close();
      throw error;
    }
  }

  async #receiveCount(): Promise<number> {
    const { data, fds } = await this.#receive(socketCount, MAXIMUM_DESCRIPTORS);
    closeAll(fds);
    // A text (`Permission denied`) or nothing at all.
    const count = data.length === socketCount ? new Int32Array(new Uint8Array(data).buffer)[0] : undefined;
    if (count !== undefined && count >= 0 && count < 65_536) return count;
    throw new HandoffError(
      'ERR_HANDOFF_REFUSED',
      `HAProxy gives no sockets at ${this.path}: its line needs "expose-fd listeners" and "level admin", as in: stats socket ${this.path} mode 600 level admin expose-fd listeners.`,
    );
  }

  /** Some versions wait for it before they send more; others have closed the connection by then. */
  #confirm(count: number): void {
    try {
      sendMessage(this.#connection.fd, new Uint8Array(Int32Array.of(count).buffer));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    }
  }

  /** What comes next: without bytes at the end. */
  async #receive(bytes: number, descriptors: number): Promise<Message> {
    for (;;) {
      if (this.#signal.aborted) throw abortReason(this.#signal);
      const message = receiveMessage(this.#connection.fd, bytes, descriptors);
      if (message !== null) return message;
      await delay(lookInterval);
    }
  }

  #incomplete(received: number, expected: number): HandoffError {
    return new HandoffError(
      'ERR_HANDOFF_TRUNCATED',
      `HAProxy at ${this.path} announced ${expected} sockets, and ${received} came: they were closed.`,
    );
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}
