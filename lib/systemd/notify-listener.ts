import { createSocket, type Socket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { close } from '../fd/descriptor.ts';
import { bindUnix } from '../fd/socket.ts';
import { bindToUnixSocket } from '../servers/index.ts';

/**
 * The manager's end of a `NOTIFY_SOCKET`, for a program that this process runs. sd_notify(3). In a folder that only this
 * user can enter: an abstract address would take a READY=1 from anybody on the machine.
 *
 * It is read until it is disposed of, whatever is said: a program that says more than the kernel queues would wait for good.
 */
export class NotifyListener implements Disposable {
  /** For the program's `NOTIFY_SOCKET`. */
  readonly path: string;
  /** Resolves when somebody has said READY=1; never rejects. */
  readonly ready: Promise<void>;
  readonly #folder: string;
  readonly #socket: Socket;
  #status: string | null = null;

  /** @throws ERR_HANDOFF_UNSUPPORTED_PLATFORM where this runtime cannot receive from a Unix socket */
  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'fd-handoff-'));
    this.path = join(this.#folder, 'notify');
    this.#socket = createSocket('udp4');
    let hear = () => {};
    this.ready = new Promise((resolve) => {
      hear = resolve;
    });
    try {
      this.#listen(bindUnix(this.path, { type: 'datagram' }));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    // What came along (BARRIER=1 brings a pipe) is closed by the kernel when it is read this way, as the sender expects.
    this.#socket.on('message', (message) => {
      const said = message.toString('utf8').split('\n');
      this.#status = said.find((line) => line.startsWith('STATUS='))?.slice('STATUS='.length) ?? this.#status;
      if (said.includes('READY=1')) hear();
    });
  }

  /** The last status that the program has told; null where it has told none. */
  get status(): string | null {
    return this.#status;
  }

  #listen(fd: number): void {
    try {
      bindToUnixSocket(this.#socket, fd);
    } catch (error) {
      close(fd);
      throw error;
    }
    this.#socket.on('error', () => {});
    this.#socket.unref();
  }

  [Symbol.dispose](): void {
    this.#socket.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
