import { close, closeAll } from '../../lib/fd/descriptor.ts';
import { receiveMessage } from '../../lib/fd/message.ts';
import { bindUnix } from '../../lib/fd/socket.ts';
import { TemporaryFolder } from './temporary-folder.ts';

/** What a service has said, with what came along. */
export interface Notification {
  readonly tags: Readonly<Record<string, string>>;
  readonly descriptors: readonly number[];
}

/** The end of a service manager where it is told things; nothing is read before a test asks. */
export class NotifyReceiver implements Disposable {
  readonly #folder = new TemporaryFolder();
  readonly #socket: number;
  readonly #received: number[] = [];
  readonly path: string;

  constructor(path?: string) {
    this.path = path ?? this.#folder.file('notify');
    this.#socket = bindUnix(this.path, { type: 'datagram' });
  }

  /** What has come since this was called last. Barriers are answered. */
  read(): Notification[] {
    const messages: Notification[] = [];
    for (;;) {
      const message = receiveMessage(this.#socket, 65_536, 8);
      if (message === null) return messages;
      const lines = message.data.toString('utf8').trimEnd().split('\n');
      const tags = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
      messages.push({ tags, descriptors: message.fds });
      if ('BARRIER' in tags) closeAll(message.fds);
      else this.#received.push(...message.fds);
    }
  }

  /** The same without what came along. */
  tags(): Notification['tags'][] {
    return this.read().map(({ tags }) => tags);
  }

  [Symbol.dispose](): void {
    this.read();
    closeAll(this.#received);
    close(this.#socket);
    this.#folder[Symbol.dispose]();
  }
}
