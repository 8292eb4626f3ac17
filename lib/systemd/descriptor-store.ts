import { HandoffError } from '../fd/handoff-error.ts';
import { takeVariable } from '../process/start/environment.ts';
import type { NotifySocket } from './notify.ts';

/** How many descriptors the manager keeps for this service; set by systemd since 254, where there is a store at all. */
export const storeSizeVariable = 'FDSTORE';

/** sd_pid_notify_with_fds(3): 255 ASCII characters at most, no control characters, no colon. */
const nameForm = /^[ -9;-~]{1,255}$/;

/** Reads and removes how many descriptors the manager keeps; null where it does not say. */
export function takeStoreSize(environment: NodeJS.ProcessEnv = process.env): number | null {
  const size = takeVariable(environment, storeSizeVariable);
  return size !== undefined && /^\d{1,9}$/.test(size) ? Number(size) : null;
}

/**
 * The descriptors that the service manager keeps for this service (`FileDescriptorStoreMax=`): it passes them to the next
 * start, after whatever end of this one, SIGKILL included. systemd.service(5), sd_pid_notify_with_fds(3).
 *
 * A stored socket stays open until it is removed here, or the service is stopped: closing one's own copy ends nothing.
 */
export class DescriptorStore {
  readonly #socket: NotifySocket;
  readonly #size: number;
  readonly #names = new Set<string>();

  /**
   * @param size how many it takes: more are dropped, and nobody is told
   * @param kept the names of what it has already
   */
  constructor(socket: NotifySocket, size = Number.POSITIVE_INFINITY, kept: Iterable<string> = []) {
    this.#socket = socket;
    this.#size = size;
    for (const name of kept) this.#names.add(name);
  }

  /** Tells of a descriptor that it has already. */
  has(name: string): void {
    this.#names.add(name);
  }

  /**
   * Gives it a copy of a descriptor, and returns the name that it is kept under: `name`, or one like it where that is
   * another's already. systemd keeps the same descriptor once, under the name that it got first.
   *
   * @param name 1 to 255 printable ASCII characters, no colon
   * @param fd borrowed
   * @throws ERR_HANDOFF_REFUSED where it is full, TypeError for a name that cannot be
   */
  put(name: string, fd: number): string {
    if (!nameForm.test(name)) {
      throw Object.assign(
        new TypeError(
          `The name ${JSON.stringify(name)} cannot be used in the descriptor store: 1 to 255 printable ASCII characters, no colon.`,
        ),
        { code: 'ERR_INVALID_ARG_VALUE' },
      );
    }
    if (this.#names.size >= this.#size) {
      throw new HandoffError(
        'ERR_HANDOFF_REFUSED',
        `The descriptor store takes ${this.#size}, and "${name}" is one more: it would not outlive a crash. Raise FileDescriptorStoreMax= in the unit.`,
      );
    }
    const free = freeName(name, (candidate) => this.#names.has(candidate));
    // With FDPOLL=1, the default, systemd drops a connection whose other end has hung up, with what it had sent before.
    this.#socket.send({ FDSTORE: 1, FDNAME: free, FDPOLL: 0 }, [fd]);
    this.#names.add(free);
    return free;
  }

  /** Lets go of what is kept under that name, be it in the store or not. */
  remove(name: string): void {
    this.#socket.send({ FDSTOREREMOVE: 1, FDNAME: name });
    this.#names.delete(name);
  }
}

/** `name`, or the first of `name#2`, `name#3` … that is free. */
export function freeName(name: string, taken: (name: string) => boolean): string {
  if (!taken(name)) return name;
  for (let number = 2; ; number++) {
    const suffix = `#${number}`;
    const candidate = name.slice(0, 255 - suffix.length) + suffix;
    if (!taken(candidate)) return candidate;
  }
}
