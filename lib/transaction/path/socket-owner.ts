import { readFileSync } from 'node:fs';
import { HandoffError } from '../../fd/handoff-error.ts';
import type { OwnedFd } from '../../fd/owned-fd.ts';
import { peerCredentials } from '../../fd/peer-credentials.ts';
import { isKeptByRoot, wayTo } from './way.ts';

/** The user that a service becomes once it has bound as root. */
export interface ServiceUser {
  /** The number of the user (`id -u www-data`). */
  readonly uid: number;
  /** The number of its group (`id -g www-data`): files are given to it as well. */
  readonly gid?: number;
}

/** What decides whether a listening process is believed. */
export interface WhoListens {
  /** The user that called listen(2), as the kernel tells it. */
  readonly listener: number;
  /** The effective user of this process. */
  readonly self: number;
  /** The user that the application has named; null where it has named none. */
  readonly user: number | null;
  /** Whether nobody but root can have put the socket where it is. */
  readonly keptByRoot: boolean;
  /** The number under which users appear here that this user namespace does not know; null where it knows all of them. */
  readonly stranger: number | null;
}

/**
 * Whether what is received from the process that listens on a control path may be served with: everything that this process
 * is could be somebody else's then. The whole rule is here.
 *
 * - Root, and this process's own user, can do as they like with it anyway.
 * - Nobody else is believed by an ordinary user.
 * - Root believes the user that the application has named as the service's own. Where users of outside a container appear
 *   under that same number, it may be any of them, and is not enough.
 * - Root believes whoever listens on a socket that nobody but root can have put there: it was bound by root and given to that
 *   process, or that process has dropped root's privileges since. A user's own socket never is one, wherever root looks.
 */
export function isTrustedListener({ listener, self, user, keptByRoot, stranger }: WhoListens): boolean {
  if (listener === 0 || listener === self) return true;
  if (self !== 0) return false;
  return keptByRoot || (listener === user && listener !== stranger);
}

/** How far whoever listens at a path is trusted, as that was before anybody connected. */
export class ListenerTrust {
  readonly #path: string;
  readonly #user: number | null;
  readonly #keptByRoot: boolean;

  private constructor(path: string, user: number | null, keptByRoot: boolean) {
    this.#path = path;
    this.#user = user;
    this.#keptByRoot = keptByRoot;
  }

  /**
   * To be called before connecting. What is kept by root then leads there a moment later, too, since nobody else can change
   * it; a look that comes after the connection would see what somebody may have put right meanwhile.
   *
   * @param user the user that the service becomes, where the application has named it
   */
  static before(path: string, user: ServiceUser | null): ListenerTrust {
    return new ListenerTrust(path, user?.uid ?? null, process.geteuid?.() === 0 && isPlacedByRoot(path));
  }

  /**
   * Closes the connection where the process at its other end is not to be believed.
   *
   * @throws ERR_HANDOFF_UNTRUSTED_PEER
   */
  require(connection: OwnedFd): void {
    const { uid, pid } = peerCredentials(connection.fd);
    const self = process.geteuid?.() ?? uid;
    const [user, keptByRoot] = [this.#user, this.#keptByRoot];
    if (isTrustedListener({ listener: uid, self, user, keptByRoot, stranger: strangersId() })) return;
    connection.close();
    const advice =
      self === 0
        ? `If that is the user this service becomes, name it (handoff({ user: { uid: ${uid} } })), or give a path in a folder to which only root can write, and every folder above it as well.`
        : 'Give a path in a folder that only this user can write to.';
    throw new HandoffError(
      'ERR_HANDOFF_UNTRUSTED_PEER',
      `Process ${pid} of user ${uid} listens on ${this.#path}: nothing is taken over from another user. ${advice}`,
    );
  }
}

/** An abstract address is in no folder: who comes first has it. */
function isPlacedByRoot(path: string): boolean {
  if (path.startsWith('@')) return false;
  try {
    return isKeptByRoot(wayTo(path));
  } catch {
    // Nothing is there, or not any more: then nobody listens there either.
    return false;
  }
}

/** user_namespaces(7): who has no number in this namespace is shown by the overflow id, which is "nobody" on most systems. */
function strangersId(): number | null {
  try {
    const [inside, outside, length] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/).map(Number);
    if (inside === 0 && outside === 0 && length === 0xffffffff) return null;
    return Number(readFileSync('/proc/sys/kernel/overflowuid', 'utf8'));
  } catch {
    // macOS, which has no user namespaces.
    return null;
  }
}
