import type { OwnedFd } from './fd/owned-fd.ts';
import { socketFileExists, unlinkWhileHeld } from './handoff/control-path.ts';
import { controlName, type NamedDescriptor } from './handoff/manifest.ts';
import type { Reception } from './handoff/reception.ts';
import { isAnswered } from './process/owner-probe.ts';
import { claimControlPath } from './process/predecessor-search.ts';
import { boundAddress } from './servers/index.ts';

/** What of the control path this process has. */
type Post =
  | { readonly is: 'none' }
  /** The listener is held, and somebody else accepts on it. */
  | { readonly is: 'held'; readonly listener: OwnedFd }
  | { readonly is: 'open'; readonly listener: OwnedFd };

/** The control path, as far as it is this process's: who comes there is received, or is left to another owner. */
export class ControlPost {
  /** The path that this version was given; null where it was given none. */
  readonly #path: string | null;
  readonly #reception: Reception;
  #post: Post;

  /** @param listener what a fresh start or an exec has left, taken over; null where there is none (yet) */
  constructor(path: string | null, listener: OwnedFd | null, reception: Reception) {
    this.#path = path;
    this.#reception = reception;
    this.#post = listener === null ? { is: 'none' } : { is: 'held', listener };
  }

  get is(): Post['is'] {
    return this.#post.is;
  }

  /** For the manifest; borrowed. Empty where nothing is held. */
  get named(): NamedDescriptor[] {
    return this.#post.is === 'none' ? [] : [{ name: controlName, fd: this.#post.listener.fd }];
  }

  /** Takes over the predecessor's listener, on which that accepts until commit. */
  inherit(listener: OwnedFd): void {
    this.#post = { is: 'held', listener };
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
    const listener = await this.#listenerForPath(this.#post.listener);
    this.#post = { is: 'held', listener };
    await this.#reception.open(listener);
    this.#post = { is: 'open', listener };
  }

  /** Leaves the visitors to another process; the listener stays. */
  leave(): void {
    if (this.#post.is !== 'open') return;
    this.#reception.close();
    this.#post = { is: 'held', listener: this.#post.listener };
  }

  /**
   * Lets go of the listener.
   *
   * @param how `'remove'` takes the socket file away too: nobody is left to accept there
   */
  close(how: 'close' | 'remove'): void {
    if (this.#post.is === 'none') return;
    const { listener } = this.#post;
    this.#reception.close();
    try {
      if (how === 'remove' && this.#path !== null) unlinkWhileHeld(this.#path, listener);
    } finally {
      listener.close();
      this.#post = { is: 'none' };
    }
  }

  /**
   * The listener of the path that this version was given: the one that is held, or a new one where that has another path,
   * or a file that somebody has removed.
   */
  async #listenerForPath(held: OwnedFd): Promise<OwnedFd> {
    const path = this.#path;
    const before = boundAddress(held.fd).path;
    if (path === null || (path === before && socketFileExists(path))) return held;
    const claimed = await claimControlPath(path);
    if (before !== undefined && before !== path) unlinkWhileHeld(before, held);
    held.close();
    return claimed;
  }
}
