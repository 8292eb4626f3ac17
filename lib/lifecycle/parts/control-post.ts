import type { OwnedFd } from '../../fd/owned-fd.ts';
import { isAnswered } from '../../meeting/owner-probe.ts';
import { claimControlPath } from '../../meeting/predecessor-search.ts';
import { boundAddress } from '../../servers/index.ts';
import { controlName, type Inherited, type NamedDescriptor } from '../../transaction/manifest.ts';
import { SocketFile } from '../../transaction/path/socket-file.ts';
import type { ServiceUser } from '../../transaction/path/socket-owner.ts';
import type { Reception } from '../../transaction/reception.ts';

/** What of the control path this process has. */
type Post =
  | { readonly is: 'none' }
  /** The listener is held, and somebody else accepts on it. */
  | ({ readonly is: 'held' } & ControlListener)
  | ({ readonly is: 'open' } & ControlListener);

interface ControlListener {
  readonly listener: OwnedFd;
  /** Null for one that is at no path: then it can be inherited, and not be found. */
  readonly file: SocketFile | null;
}

/** The control path, as far as it is this process's: who comes there is received, or is left to another owner. */
export class ControlPost {
  /** The path that this version was given; null where it was given none. */
  readonly #path: string | null;
  readonly #reception: Reception;
  /** The user that the service becomes; null where none was named. */
  readonly #user: ServiceUser | null;
  #post: Post;

  /** @param listener what a fresh start has bound, taken over; null where there is none (yet) */
  constructor(path: string | null, listener: OwnedFd | null, reception: Reception, user: ServiceUser | null = null) {
    this.#path = path;
    this.#user = user;
    this.#reception = reception;
    this.#post =
      listener === null || path === null ? { is: 'none' } : { is: 'held', listener, file: SocketFile.bound(path) };
  }

  get is(): Post['is'] {
    return this.#post.is;
  }

  /** For the manifest; borrowed. Empty where nothing is held. */
  get named(): NamedDescriptor[] {
    if (this.#post.is === 'none') return [];
    const { listener, file } = this.#post;
    return [{ name: controlName, fd: listener.fd, notes: file?.notes ?? {} }];
  }

  /** Takes over the predecessor's listener, on which that accepts until commit; or what an exec has left. */
  inherit({ entry, descriptor }: Inherited): void {
    const { path } = boundAddress(descriptor.fd);
    const file = path === undefined ? null : SocketFile.noted(path, entry.file);
    this.#post = { is: 'held', listener: descriptor, file };
  }

  /** The path where another process answers; null where none does. Only of use while this one does not accept there. */
  async answeredAt(): Promise<string | null> {
    const held = this.#post.is === 'held' ? boundAddress(this.#post.listener.fd).path : undefined;
    const path = held ?? this.#path;
    return path !== null && (await isAnswered(path)) ? path : null;
  }

  /**
   * Accepts from now on, where there is a listener.
   *
   * @throws ERR_HANDOFF_ALREADY_OWNED where this version was given another path, and somebody else listens there
   */
  async open(): Promise<void> {
    if (this.#post.is !== 'held') return;
    const held = await this.#listenerForPath(this.#post);
    this.#post = { is: 'held', ...held };
    await this.#reception.open(held.listener);
    this.#post = { is: 'open', ...held };
  }

  /** Leaves the visitors to another process; the listener stays. */
  leave(): void {
    if (this.#post.is !== 'open') return;
    this.#reception.close();
    const { listener, file } = this.#post;
    this.#post = { is: 'held', listener, file };
  }

  /**
   * Lets go of the listener.
   *
   * @param how `'remove'` takes the socket file away too: nobody is left to accept there
   */
  close(how: 'close' | 'remove'): void {
    if (this.#post.is === 'none') return;
    const { listener, file } = this.#post;
    this.#reception.close();
    try {
      // Only its own: what somebody else has put there is not this process's to remove.
      if (how === 'remove' && this.#path !== null) file?.remove();
    } finally {
      listener.close();
      this.#post = { is: 'none' };
    }
  }

  /** The same where a file that cannot be removed must not keep a process that is done. */
  closeOrReport(how: 'close' | 'remove', report: (error: unknown) => void): void {
    try {
      this.close(how);
    } catch (error) {
      report(error);
    }
  }

  /**
   * The listener of the path that this version was given: the one that is held, or a new one where that has another path, or
   * a file that somebody has removed or replaced.
   */
  async #listenerForPath({ listener, file }: ControlListener): Promise<ControlListener> {
    const path = this.#path;
    if (path === null || (path === file?.path && file.state() === 'there')) return { listener, file };
    const claimed = await claimControlPath(path, this.#user);
    if (file !== null && file.path !== path) file.remove();
    listener.close();
    return { listener: claimed, file: SocketFile.bound(path) };
  }
}
