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
  /** This process is about to accept, which takes a moment: a stop in it has the last word. */
  | Opening
  | ({ readonly is: 'open' } & ControlListener);

type Opening = { readonly is: 'opening' } & ControlListener;

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
  #opened: Promise<void> = Promise.resolve();

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
    const held = this.#post.is === 'none' ? undefined : boundAddress(this.#post.listener.fd).path;
    const path = held ?? this.#path;
    return path !== null && (await isAnswered(path)) ? path : null;
  }

  /**
   * Accepts from now on, where there is a listener. Resolves when it does, or when `leave()` or `close()` has come first:
   * then nobody accepts here, and nothing is left of what was bound for it.
   *
   * @throws ERR_HANDOFF_ALREADY_OWNED where this version was given another path, and somebody else listens there
   */
  open(): Promise<void> {
    if (this.#post.is === 'held') {
      const opening: Opening = { ...this.#post, is: 'opening' };
      this.#post = opening;
      // Another one can be under way that was left: it would find the path bound by this one, or this one by it.
      this.#opened = this.settled().then(() => this.#open(opening));
    }
    return this.#opened;
  }

  /** Settles, and never rejects, when no `open()` is under way. */
  settled(): Promise<void> {
    return this.#opened.catch(() => {});
  }

  async #open(from: Opening): Promise<void> {
    if (this.#post !== from) return;
    let opening = from;
    try {
      const claimed = await this.#claim(from);
      if (this.#post !== opening) {
        claimed?.file?.remove();
        claimed?.listener.close();
        return;
      }
      if (claimed !== null) {
        opening = { is: 'opening', ...claimed };
        this.#post = opening;
        if (from.file?.path !== this.#path) from.file?.remove();
        from.listener.close();
      }
      await this.#reception.open(opening.listener);
      if (this.#post === opening) this.#post = { ...opening, is: 'open' };
    } catch (error) {
      if (this.#post === opening) this.#post = { ...opening, is: 'held' };
      throw error;
    }
  }

  /** Leaves the visitors to another process; the listener stays. */
  leave(): void {
    if (this.#post.is !== 'open' && this.#post.is !== 'opening') return;
    this.#reception.close();
    this.#post = { ...this.#post, is: 'held' };
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
   * A listener for the path that this version was given; null where the one that is held will do. A new one is needed where
   * that has another path, or a file that somebody has removed or replaced.
   */
  async #claim({ file }: ControlListener): Promise<ControlListener | null> {
    const path = this.#path;
    if (path === null || (path === file?.path && file.state() === 'there')) return null;
    const listener = await claimControlPath(path, this.#user);
    return { listener, file: SocketFile.bound(path) };
  }
}
