import { debuglog } from 'node:util';
import { validateFd, validateFds, validateString } from './arguments.ts';
import { close, closeAll, dup } from './descriptor.ts';

type Ownership = 'open' | 'closed' | 'released';

/** Descriptors that came at once, and what became of each. What is left of them must not refer back to their owners. */
interface Holding {
  readonly fds: readonly number[];
  readonly ownerships: Ownership[];
  readonly purpose: string;
  readonly madeAt: string | undefined;
}

const debug = debuglog('fd-handoff');

// A stack costs more than all the rest of an OwnedFd, so only those who look for a leak pay for it.
function stackIfWanted(): string | undefined {
  const wanted = debug.enabled || (process as { traceProcessWarnings?: boolean }).traceProcessWarnings === true;
  return wanted ? new Error('made here').stack : undefined;
}

const collected = new FinalizationRegistry<Holding>((holding) => {
  for (const [index, ownership] of holding.ownerships.entries()) {
    if (ownership === 'open') closeLeaked(holding, index);
  }
});

function closeLeaked({ fds, ownerships, purpose, madeAt }: Holding, index: number): void {
  const fd = fds[index] as number;
  ownerships[index] = 'closed';
  process.emitWarning(
    `descriptor ${fd} (${purpose}) was garbage-collected while open, and is closed now: call close(), or declare it ` +
      'with "using"',
    { code: 'FD_HANDOFF_LEAK', ...(madeAt === undefined ? {} : { detail: madeAt }) },
  );
  try {
    close(fd);
  } catch {
    // Somebody closed the number behind its owner's back; there is nobody to tell.
  }
}

/**
 * What the owners of one batch refer to, so that one registration does for all of them: registering takes longer than
 * everything else about an owner. It is taken back with the last of them: what is registered outlives every small
 * collection of garbage, and so would the holdings of whatever was closed long ago.
 */
class Batch {
  readonly holding: Holding;
  #open: number;

  constructor(fds: readonly number[], purpose: string) {
    this.holding = { fds, ownerships: fds.map(() => 'open'), purpose, madeAt: stackIfWanted() };
    this.#open = fds.length;
    if (this.#open > 0) collected.register(this, this.holding, this);
  }

  /** The descriptor of that index, which is not owned any more. */
  leave(index: number, ownership: 'closed' | 'released'): number {
    this.holding.ownerships[index] = ownership;
    this.#open--;
    if (this.#open === 0) collected.unregister(this);
    return this.holding.fds[index] as number;
  }
}

/**
 * A descriptor with an owner: it is closed once, however often and by whom it is asked.
 *
 * Own a number in one place only. If the object is garbage-collected while open, the descriptor is closed and the process
 * warns (`FD_HANDOFF_LEAK`); with `NODE_DEBUG=fd-handoff` or `--trace-warnings` it says where it was made.
 */
export class OwnedFd implements Disposable {
  readonly #batch: Batch;
  readonly #index: number;

  /**
   * @param fd An open descriptor, which is this object's from now on.
   * @param purpose What it is for, as errors and warnings are to call it.
   */
  constructor(fd: number, purpose?: string);
  /** @internal Use `ofAll()`. */
  constructor(index: number, batch: Batch);
  constructor(number: number, purpose: string | Batch = 'descriptor') {
    if (purpose instanceof Batch) {
      this.#batch = purpose;
      this.#index = number;
      return;
    }
    validateFd(number);
    validateString(purpose, 'purpose');
    this.#batch = new Batch([number], purpose);
    this.#index = 0;
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
    validateString(purpose, 'purpose');
    const batch = new Batch([...fds], purpose);
    return fds.map((_fd, index) => new OwnedFd(index, batch));
  }

  /**
   * Closes all of them, also when one fails, in one call of the addon; those that are closed or were released are left
   * alone.
   *
   * @throws {Error} EBADF for the first whose number somebody else has closed, after all have been tried.
   */
  static closeAll(descriptors: readonly OwnedFd[]): void {
    const open: number[] = [];
    for (const descriptor of descriptors) {
      if (!descriptor.closed) open.push(descriptor.#leave('closed'));
    }
    closeAll(open);
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
    const { fds, ownerships, purpose } = this.#batch.holding;
    const fd = fds[this.#index] as number;
    if (ownerships[this.#index] === 'open') return fd;
    throw new Error(`descriptor ${fd} (${purpose}) is ${ownerships[this.#index]} and must not be used any more`);
  }

  /** Whether it no longer owns a descriptor, be it closed or released. */
  get closed(): boolean {
    return this.#batch.holding.ownerships[this.#index] !== 'open';
  }

  /** Another owner of a copy of the descriptor, for the same purpose. */
  dup(): OwnedFd {
    return OwnedFd.dup(this.fd, this.#batch.holding.purpose);
  }

  /** Closes the descriptor; does nothing if it is closed or was released. */
  close(): void {
    if (!this.closed) close(this.#leave('closed'));
  }

  /**
   * Gives the number away: from now on the caller closes it.
   *
   * @throws {Error} If it is closed or was released already.
   */
  release(): number {
    // Asked for, because that throws where it is not owned.
    const { fd } = this;
    this.#leave('released');
    return fd;
  }

  /** Closes it where it is still owned. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** First of all, so that an error on the way cannot make a second attempt close somebody else's descriptor. */
  #leave(ownership: 'closed' | 'released'): number {
    return this.#batch.leave(this.#index, ownership);
  }
}
