import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { abortReason } from '../channel/deadline.ts';
import { pipe, setNonBlocking } from '../fd/descriptor.ts';
import { HandoffError, isHandoffErrorCode } from '../fd/handoff-error.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import { socketPair } from '../fd/socket.ts';

const newline = 0x0a;

/** The longest status text that may stand before the newline; more of it is not a status but somebody's log. */
const statusLimit = 4096;

/**
 * The predecessor's side of the ready pipe. The successor holds the write end: a newline means ready, end-of-file before
 * it means failed. A pipe needs no library, so that a shell script can be a successor.
 */
export class ReadyPipe implements Disposable {
  readonly #reader: Socket;
  readonly #writer: OwnedFd;

  constructor([reader, writer] = pipe()) {
    this.#writer = new OwnedFd(writer, 'the write end of the ready pipe');
    this.#reader = new Socket({ fd: reader });
    this.#reader.on('error', () => {});
    this.#reader.pause();
  }

  /** One of sockets: at its other end `text` can be read, and the end of this process is heard. */
  static introducing(text: string): ReadyPipe {
    const pipe = new ReadyPipe(socketPair());
    // Any program may read it: a shell that comes too early would fail with EAGAIN.
    setNonBlocking(pipe.writer, false);
    pipe.#reader.write(text);
    return pipe;
  }

  /** The end that the successor gets; borrowed. */
  get writer(): number {
    return this.#writer.fd;
  }

  /**
   * Lets go of the write end once the successor has its own. A predecessor that keeps it never sees end-of-file: Teleport
   * waited its full two minutes for a child that was dead.
   */
  closeWriter(): void {
    this.#writer.close();
  }

  /**
   * Resolves with the status text when the newline comes; rejects with ERR_HANDOFF_SUCCESSOR_EXITED when it cannot, or with
   * the reason that was said in its place.
   */
  ready(signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let length = 0;
      const finish = () => {
        this.#reader.removeAllListeners('data').removeAllListeners('close');
        signal.removeEventListener('abort', abort);
      };
      const abort = () => {
        finish();
        reject(abortReason(signal));
      };
      this.#reader.on('data', (chunk: Buffer) => {
        const end = chunk.indexOf(newline);
        const kept = end === -1 ? chunk : chunk.subarray(0, end);
        if (length < statusLimit) chunks.push(kept.subarray(0, statusLimit - length));
        length += kept.length;
        if (end === -1) return;
        finish();
        resolve(Buffer.concat(chunks).toString('utf8'));
      });
      this.#reader.on('close', () => {
        finish();
        reject(
          readRefusal(Buffer.concat(chunks).toString('utf8')) ??
            new HandoffError(
              'ERR_HANDOFF_SUCCESSOR_EXITED',
              'The successor closed its ready pipe without a newline: it exited or gave up before it was ready.',
            ),
        );
      });
      if (signal.aborted) return abort();
      signal.addEventListener('abort', abort, { once: true });
      this.#reader.resume();
    });
  }

  [Symbol.dispose](): void {
    this.#writer.close();
    this.#reader.destroy();
  }
}

/**
 * What a rehearsal that fails at its `ready()` writes in place of the newline, before it closes its end: the reason. Whoever
 * does not read that sees an end without a newline.
 */
export function refusalText({ code, message }: HandoffError): string {
  return JSON.stringify({ code, message: message.slice(0, statusLimit / 2) });
}

function readRefusal(text: string): HandoffError | null {
  if (!text.startsWith('{')) return null;
  try {
    const { code, message } = JSON.parse(text);
    return isHandoffErrorCode(code) && typeof message === 'string' ? new HandoffError(code, message) : null;
  } catch {
    return null;
  }
}

/**
 * The successor's word that it is ready. Takes `writer` over and closes it. Where nobody reads any more, nobody is told:
 * the predecessor died, or has called the handoff off.
 */
export function announceReady(writer: OwnedFd): void {
  using held = writer;
  try {
    writeSync(held.fd, '\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
  }
}
