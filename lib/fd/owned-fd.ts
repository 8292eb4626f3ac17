import { debuglog } from 'node:util';
import { validateFd, validateFds, validateString } from './arguments.ts';
import { close, dup } from './descriptor.ts';

type Ownership = { kind: 'open' } | { kind: 'closed' } | { kind: 'released' };

/** What is left of an `OwnedFd` that was garbage-collected: it must not refer back to it. */
interface Holding {
  readonly fd: number;
  readonly purpose: string;
  readonly madeAt: string | undefined;
  ownership: Ownership;
}

const debug = debuglog('fd-handoff');

// A stack costs more than all the rest of an OwnedFd, so only those who look for a leak pay for it.
function stackIfWanted(): string | undefined {
  const wanted = debug.enabled || (process as { traceProcessWarnings?: boolean }).traceProcessWarnings === true;
  return wanted ? new Error('made here').stack : undefined;
}

const collected = new FinalizationRegistry<readonly Holding[]>((holdings) => {
  for (const holding of holdings) closeLeaked(holding);
});

function closeLeaked(holding: Holding): void {
  if (holding.ownership.kind !== 'open') return;
  holding.ownership = { kind: 'closed' };
  process.emitWarning(
    `descriptor ${holding.fd} (${holding.purpose}) was garbage-collected while open, and is closed now: call close(), ` +
      'or declare it with "using"',
    { code: 'FD_HANDOFF_LEAK', ...(holding.madeAt === undefined ? {} : { detail: holding.madeAt }) },
  );
  try {
    close(holding.fd);
  } catch {
    // Somebody closed the number behind its owner's back; there is nobody to tell.
  }
}

/**
 * What the owners of one batch refer to, so that one registration does for all of them: registering takes longer than
 * everything else about an owner, and unregistering as long again.
 */
class Watch {
  readonly holdings: Holding[] = [];

  constructor() {
    collected.register(this, this.holdings);
  }
}

/**
 * A descriptor with an owner: it is closed once, however often and by whom it is asked.
 *
 * Own a number in one place only. If the object is garbage-collected while open, the descriptor is closed and the process
 * warns (`FD_HANDOFF_LEAK`); with `NODE_DEBUG=fd-handoff` or `--trace-warnings` it says where it was made.
 */
export class OwnedFd implements Disposable {
  readonly #holding: Holding;
  /** Null for one that is watched by itself. */
  readonly #watch: Watch | null;

  /**
   * @param fd An open descriptor, which is this object's from now on.
   * @param purpose What it is for, as errors and warnings are to call it.
   */
  constructor(fd: number, purpose?: string);
  /** @internal Use `ofAll()`. */
  constructor(fd: number, purpose: string, watch: Watch);
  constructor(fd: number, purpose = 'descriptor', watch: Watch | null = null) {
    validateFd(fd);
    validateString(purpose, 'purpose');
    this.#holding = { fd, purpose, madeAt: stackIfWanted(), ownership: { kind: 'open' } };
    this.#watch = watch;
    if (watch === null) collected.register(this, [this.#holding], this);
    else watch.holdings.push(this.#holding);
  }

  /**
   * Owns several descriptors that came at once, in their order, for a fraction of what it costs one by one. A leak among
   * them is noticed when the last of these objects is garbage-collected.
   *
   * @param fds Open descriptors, each of which is one object's from now on.
   * @param purpose What they are for, as errors and warnings are to call them.
   */
  static ofAll(fds: readonly number[], purpose = 'descriptor'): OwnedFd[] {
    validateFds(fds, 'fds');
    const watch = new Watch();
    return fds.map((fd) => new OwnedFd(fd, purpose, watch));
  }

  /**
   * Owns a copy of `fd`, which itself stays whose it was.
   *
   * @throws {Error} EBADF, EMFILE.
   */
  static dup(fd: number, purpose?: string): OwnedFd {
    return new OwnedFd(dup(fd), purpose);
  }

  /**
   * The number, for use while this object is alive: keep the object, not the number.
   *
   * @throws {Error} If it is closed or was released: its number may be another descriptor's by now.
   */
  get fd(): number {
    const { fd, purpose, ownership } = this.#holding;
    if (ownership.kind === 'open') return fd;
    throw new Error(`descriptor ${fd} (${purpose}) is ${ownership.kind} and must not be used any more`);
  }

  /** Whether it no longer owns a descriptor, be it closed or released. */
  get closed(): boolean {
    return this.#holding.ownership.kind !== 'open';
  }

  /** Another owner of a copy of the descriptor, for the same purpose. */
  dup(): OwnedFd {
    return OwnedFd.dup(this.fd, this.#holding.purpose);
  }

  /** Closes the descriptor; does nothing if it is closed or was released. */
  close(): void {
    if (this.closed) return;
    this.#leave({ kind: 'closed' });
    close(this.#holding.fd);
  }

  /**
   * Gives the number away: from now on the caller closes it.
   *
   * @throws {Error} If it is closed or was released already.
   */
  release(): number {
    const { fd } = this;
    this.#leave({ kind: 'released' });
    return fd;
  }

  /** Closes it where it is still owned. */
  [Symbol.dispose](): void {
    this.close();
  }

  // First of all, so that an error on the way cannot make a second attempt close somebody else's descriptor.
  #leave(ownership: Ownership): void {
    this.#holding.ownership = ownership;
    if (this.#watch === null) collected.unregister(this);
  }
}
