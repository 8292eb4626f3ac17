import { spawn } from 'node:child_process';
import { constants, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { pipe, setNonBlocking } from '../../fd/descriptor.ts';
import { OwnedFd } from '../../fd/owned-fd.ts';
import { sharingStreams } from './shared-streams.ts';
import { standardError } from './standard-output.ts';

/**
 * Reads to the end, which comes when the last who has the pipe for its standard error is gone. A pause after a failure, so
 * that a reader that is gone costs no processor time, and a helper that writes to it goes on.
 */
const relay = `trap '' HUP INT QUIT TERM PIPE
until cat >&2 2>/dev/null; do sleep 1; done`;

/**
 * The pipe that a child has for its standard error until it serves. A pipe and no socket, as Node would make: a shell cannot
 * open /dev/stderr where that is one. The child has both ends: it goes on reading when this process has stopped, for the
 * sake of helpers that it has started meanwhile.
 */
export class StderrPipe implements Disposable {
  readonly #reader: OwnedFd;
  readonly #writer: OwnedFd;

  constructor() {
    const [reader, writer] = pipe();
    this.#reader = new OwnedFd(reader, 'the read end of the pipe for standard error');
    this.#writer = new OwnedFd(writer, 'the write end of the pipe for standard error');
  }

  /** For the child; borrowed. */
  get writer(): number {
    return this.#writer.fd;
  }

  /** For the child as well; borrowed. */
  get reader(): number {
    return this.#reader.fd;
  }

  /** What this process reads of it; the caller's. */
  stream(): Socket {
    const copy = this.#reader.dup();
    const stream = new Socket({ fd: copy.fd, readable: true, writable: false });
    copy.release();
    return stream;
  }

  /** This process's copies; the streams stay. */
  [Symbol.dispose](): void {
    this.#reader.close();
    this.#writer.close();
  }
}

/**
 * Passes on to standard error what is still to come by a pipe, from processes that nobody of this library can reach: a helper
 * that was started with it would be killed by SIGPIPE otherwise. A shell does that, since such a helper may outlive this
 * process and the next; it ends with the last of them.
 *
 * @param reader taken over
 */
export function relayToStandardError(reader: OwnedFd): void {
  // cat(1) knows nothing of EAGAIN.
  setNonBlocking(reader.fd, false);
  // In a session of its own, and in a folder that nobody removes.
  using target = blockingStderr();
  const shell = sharingStreams(() =>
    spawn('/bin/sh', ['-c', relay], { stdio: [reader.fd, 'ignore', target?.fd ?? 2], detached: true, cwd: '/' }),
  );
  shell.once('spawn', () => reader.close());
  // Where there is no shell, or no room for another process, this one does it for as long as it lives.
  shell.once('error', () => relayByItself(reader));
  shell.unref();
}

/**
 * Standard error in an open file description of its own, which can block: in the one that all share Node has made a pipe
 * non-blocking, and cat(1) would lose what it has read. Null where that cannot be, or is not needed.
 */
function blockingStderr(): OwnedFd | null {
  try {
    if (!fstatSync(2).isFIFO()) return null;
    // Without a reader it would wait for one here; so it fails.
    const fd = openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK);
    const own = new OwnedFd(fd, 'standard error of a relay');
    setNonBlocking(own.fd, false);
    return own;
  } catch {
    return null;
  }
}

function relayByItself(reader: OwnedFd): void {
  const stream = new Socket({ fd: reader.fd, readable: true, writable: false });
  reader.release();
  stream.on('error', () => {}).on('data', (piece) => standardError.write(piece));
  stream.unref();
}
