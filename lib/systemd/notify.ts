import { Socket } from 'node:net';
import { Deadline, untilAborted } from '../channel/deadline.ts';
import { pipe } from '../fd/descriptor.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { sendDatagram } from '../fd/message.ts';
import { OwnedFd } from '../fd/owned-fd.ts';

/** Where a service tells its manager how it is: a path, or `@name` for a Linux abstract address. sd_notify(3). */
export const notifySocketVariable = 'NOTIFY_SOCKET';

/** What a message says, `NAME=value` each; sd_notify(3) lists the names. */
export type Assignments = Readonly<Record<string, string | number | bigint>>;

/**
 * systemd reads 4 096 bytes of a message and drops a longer one as a whole, with everything else it says. A status of a
 * quarter of that is longer than any line that shows it.
 */
const longestValue = 1024;

/**
 * How often a message is tried again that finds the queue full, in milliseconds. There is no event for a socket that
 * somebody else reads; the manager empties its queue in well under that.
 */
const retryInterval = 10;

/**
 * How long it is tried, and how long a barrier is waited for, in milliseconds. A manager answers in one or two, and takes
 * a second or more only while it reloads its own configuration; systemd-notify(1) waits as long.
 */
const managerTimeout = 5_000;

interface Waiting {
  readonly data: Buffer;
  readonly descriptors: readonly OwnedFd[];
  readonly until: number;
}

/**
 * The way to the service manager, one datagram a message. Nothing here waits or throws: a service goes on whether or not
 * anybody listens. The kernel adds this process's credentials, by which the manager knows the sender.
 */
export class NotifySocket {
  readonly path: string;
  readonly #onFailure: (error: Error) => void;
  #waiting: Waiting[] = [];
  #retry: NodeJS.Timeout | null = null;

  /**
   * @param path what `NOTIFY_SOCKET` says
   * @param onFailure hears of messages that could not be sent
   * @throws ERR_HANDOFF_UNSUPPORTED_PLATFORM for an address that is neither a path nor abstract (`vsock:…`)
   */
  constructor(path: string, onFailure: (error: Error) => void) {
    if (!/^[/@]./.test(path)) {
      throw new HandoffError(
        'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
        `${notifySocketVariable} is "${path}", and only "/path" and "@abstract" can be sent to: the service manager hears nothing from this process.`,
      );
    }
    this.path = path;
    this.#onFailure = onFailure;
  }

  /**
   * Sends a message. Line breaks in values become spaces, and values over 1 024 bytes are cut: either would make the
   * manager read something else, or nothing.
   *
   * @param descriptors borrowed; the manager gets copies
   */
  send(assignments: Assignments, descriptors: readonly number[] = []): void {
    const data = encode(assignments);
    // Whatever comes later has to wait as well: READY=1 before the MAINPID that permits it would be ignored.
    if (this.#waiting.length > 0 || !this.#sent(data, descriptors)) this.#wait(data, descriptors);
  }

  /**
   * Resolves when the manager has read everything that was sent before, by any process, or when nobody is there to read.
   *
   * @throws ERR_HANDOFF_TIMEOUT after five seconds
   */
  async barrier(): Promise<void> {
    const [reader, writer] = pipe();
    const socket = new Socket({ fd: reader, readable: true, writable: false });
    using held = new OwnedFd(writer, 'the write end of a barrier');
    using deadline = Deadline.after(managerTimeout, `The service manager at ${this.path} has not read a barrier`);
    try {
      // The manager closes its copy when it gets to it, and ours is closed here: the pipe ends.
      this.send({ BARRIER: 1 }, [held.fd]);
      held.close();
      const ended = new Promise<void>((resolve) => {
        socket.once('close', () => resolve());
      });
      socket.on('error', () => {}).resume();
      await untilAborted(ended, deadline.signal);
    } finally {
      socket.destroy();
    }
  }

  /** Whether it was sent; false where the queue is full. What fails otherwise is reported, and not tried again. */
  #sent(data: Buffer, descriptors: readonly number[]): boolean {
    try {
      sendDatagram(this.path, data, descriptors);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
      this.#onFailure(error as Error);
    }
    return true;
  }

  #wait(data: Buffer, descriptors: readonly number[]): void {
    const copies = descriptors.map((fd) => OwnedFd.dup(fd, 'a descriptor for the service manager'));
    this.#waiting.push({ data, descriptors: copies, until: performance.now() + managerTimeout });
    this.#retry ??= setInterval(() => this.#sendWaiting(), retryInterval);
  }

  #sendWaiting(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const sent = this.#sent(
        first.data,
        first.descriptors.map(({ fd }) => fd),
      );
      if (!sent && performance.now() < first.until) return;
      if (!sent) this.#onFailure(queueFull(this.path));
      for (const descriptor of first.descriptors) descriptor.close();
      this.#waiting.shift();
    }
    if (this.#retry !== null) clearInterval(this.#retry);
    this.#retry = null;
  }
}

function queueFull(path: string): HandoffError {
  return new HandoffError(
    'ERR_HANDOFF_TIMEOUT',
    `The service manager at ${path} has read nothing for ${managerTimeout} ms: a message to it is lost.`,
  );
}

function encode(assignments: Assignments): Buffer {
  return Buffer.from(
    Object.entries(assignments)
      .map(([name, value]) => `${name}=${oneLine(String(value))}\n`)
      .join(''),
  );
}

/** A value that stays one: as UTF-8, which the manager insists on, without half a character at its end. */
function oneLine(value: string): string {
  const line = value.replace(/[\0\r\n]+/g, ' ');
  const bytes = Buffer.from(line);
  if (bytes.length <= longestValue) return line;
  return new TextDecoder().decode(bytes.subarray(0, longestValue), { stream: true });
}
