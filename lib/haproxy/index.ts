/**
 * `fd-handoff/haproxy`: the listeners of a running HAProxy, for the Node server that is to take its place.
 *
 * @module
 */
import { Deadline } from '../channel/deadline.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import type { OwnedFd } from '../fd/owned-fd.ts';
import { boundAddress } from '../servers/index.ts';
import type { PassedDescriptor } from '../systemd/listen-fds.ts';
import { StatsSocket } from './stats-socket.ts';

/** How long HAProxy may take to answer, in milliseconds; the limit of its own successors is one second for each step. */
const answerTimeout = 5_000;

/** The name of each of its sockets, which have none of their own: a server finds them by their addresses. */
const socketName = 'haproxy';

/** A running HAProxy, and copies of what it listens on. It serves on until it is told to leave. */
export class Haproxy implements Disposable {
  /** The process that serves: under a master (`-W`, `-Ws`) its worker. */
  readonly pid: number;
  /** For `handoff({ inherit })`, which takes them over. */
  readonly sockets: readonly PassedDescriptor[];

  /** @internal Use `takeFromHaproxy()`. */
  constructor(pid: number, sockets: readonly PassedDescriptor[]) {
    this.pid = pid;
    this.sockets = sockets;
  }

  /**
   * Tells it to stop accepting, to finish what it has and to leave (SIGUSR1, its "soft stop"): when `ready()` is done, so
   * that somebody accepts at every moment. It closes idle keep-alive connections when it pleases. A master (`-W`) ends with
   * its worker.
   *
   * @throws ESRCH where it is gone, EPERM where it is another user's
   */
  leave(): void {
    process.kill(this.pid, 'SIGUSR1');
  }

  /** Closes the sockets, where nobody has taken them over. */
  [Symbol.dispose](): void {
    for (const { descriptor } of this.sockets) descriptor.close();
  }
}

/**
 * Takes copies of all that HAProxy listens on, by its stats socket (`stats socket <path> level admin expose-fd listeners`).
 * It serves on, and both would accept from then on: listen, be ready, then tell it to `leave()`.
 *
 * Its Unix sockets are left out: it binds them under a temporary name and moves the files, so that nobody can tell from the
 * socket where it is.
 *
 * @param statsSocket the path of its stats socket
 * @returns null where nobody listens there: a later start, when HAProxy is long gone, says the same
 * @throws ERR_HANDOFF_REFUSED where it does not expose its listeners, ERR_HANDOFF_UNTRUSTED_PEER where it was started by
 *   another user than this one or root, ERR_HANDOFF_TIMEOUT, ERR_HANDOFF_TRUNCATED
 */
export async function takeFromHaproxy(statsSocket: string): Promise<Haproxy | null> {
  using deadline = Deadline.after(answerTimeout, `HAProxy at ${statsSocket} did not answer`);
  const pid = await askPid(statsSocket, deadline.signal);
  if (pid === null) return null;
  using connection = await StatsSocket.connect(statsSocket, deadline.signal);
  if (connection === null) return null;
  const sockets: PassedDescriptor[] = [];
  for (const descriptor of await connection.takeSockets()) {
    if (hasPort(descriptor)) sockets.push({ name: socketName, descriptor, kept: false });
    else descriptor.close();
  }
  return new Haproxy(pid, sockets);
}

function hasPort({ fd }: OwnedFd): boolean {
  return boundAddress(fd).port !== undefined;
}

/** By a connection of its own: HAProxy answers one question on each. */
async function askPid(path: string, signal: AbortSignal): Promise<number | null> {
  using connection = await StatsSocket.connect(path, signal);
  if (connection === null) return null;
  const pid = /^Pid: (\d+)$/m.exec(await connection.ask('show info'))?.[1];
  if (pid !== undefined) return Number(pid);
  throw new HandoffError('ERR_HANDOFF_PROTOCOL', `Who listens at ${path} does not answer as HAProxy does.`);
}
