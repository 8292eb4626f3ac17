import { duplicateTo, setCloseOnExec } from '../../fd/descriptor.ts';
import { OwnedFd } from '../../fd/owned-fd.ts';
import type { NamedDescriptor } from '../../transaction/manifest.ts';
import { harmlessDescriptor } from '../../transaction/rehearsed-inheritance.ts';
import { eachOf } from './served-servers.ts';

/** How a descriptor of the application is to be kept. */
export interface DescriptorOptions {
  /**
   * It is a file that others rename, as logrotate does: `open` is called again at `'reopen'`, and in a successor, and what
   * it opens takes the place of the old file under the same number. Open it for appending. Where that fails (`'error'`) the
   * old file stays, and it is tried again every second.
   */
  readonly reopen?: boolean;
  /** What is written to standard output and standard error goes there, too, from now on. */
  readonly stdio?: boolean;
}

/** What makes a descriptor. */
export type DescriptorOpener = () => number | OwnedFd | Promise<number | OwnedFd>;

/** Where one comes from. */
export interface Origin {
  /** What came from the predecessor; null where nothing did. It is taken over. */
  readonly inherited: OwnedFd | null;
  /** `open` may lock, bind or truncate what is in use: a rehearsal does without it. */
  readonly rehearsed: boolean;
}

/**
 * How long until a file that could not be opened is tried again, in milliseconds: its folder is gone for the moment in which
 * another one takes its place, or the disk is full until somebody has looked. Each try is one system call.
 */
const retryInterval = 1_000;

/** The application's own descriptors: it borrows their numbers, which stay the same as long as this process lives. */
export class OwnDescriptors {
  readonly #descriptors = new Map<string, OwnDescriptor>();
  readonly #standardError: () => number;
  readonly #report: (error: unknown) => void;

  /**
   * @param standardError the number of what standard error is meant to be, while 2 leads to the predecessor
   * @param report is told of a file that could not be opened again
   */
  constructor(standardError: () => number, report: (error: unknown) => void) {
    this.#standardError = standardError;
    this.#report = report;
  }

  get size(): number {
    return this.#descriptors.size;
  }

  get names(): string[] {
    return [...this.#descriptors.keys()];
  }

  /** What is to be handed over; borrowed. */
  get named(): NamedDescriptor[] {
    return [...this.#descriptors].map(([name, { fd }]) => ({ name, fd }));
  }

  /** Has a descriptor from now on; resolves with its number. */
  async add(name: string, open: DescriptorOpener, options: DescriptorOptions, origin: Origin): Promise<number> {
    const { inherited, rehearsed } = origin;
    const make = async () => ownedOf(name, await open());
    const owned = inherited ?? (rehearsed ? harmlessDescriptor(name) : await make());
    const { reopen = false, stdio = false } = rehearsed ? {} : options;
    const descriptor = new OwnDescriptor(owned, {
      open: reopen ? make : null,
      standardError: stdio ? this.#standardError : null,
      report: this.#report,
    });
    this.#descriptors.set(name, descriptor);
    // It is the file that the predecessor had, and others may have renamed it since: the signal for it may have reached
    // nobody, because this process was being started.
    if (inherited !== null) await descriptor.reopen();
    descriptor.lead();
    return descriptor.fd;
  }

  /** Others have renamed files: those are opened again, and nobody has to wait for that. */
  reopen(): void {
    for (const descriptor of this.#descriptors.values()) void descriptor.reopen();
  }

  /** Returns what could not be closed; all the rest is. */
  close(): Error[] {
    return eachOf([...this.#descriptors.values()], (descriptor) => descriptor.close());
  }
}

interface Manner {
  /** Null where it stays what it is. */
  readonly open: (() => Promise<OwnedFd>) | null;
  /** Null where the standard streams lead elsewhere. */
  readonly standardError: (() => number) | null;
  readonly report: (error: unknown) => void;
}

class OwnDescriptor {
  readonly #owned: OwnedFd;
  readonly #manner: Manner;
  #retry: NodeJS.Timeout | null = null;
  #reopening: Promise<void> = Promise.resolve();

  constructor(owned: OwnedFd, manner: Manner) {
    this.#owned = owned;
    this.#manner = manner;
  }

  get fd(): number {
    return this.#owned.fd;
  }

  /** Has the standard streams lead to it, where they are to. */
  lead(): void {
    const { standardError } = this.#manner;
    if (standardError === null || this.#owned.closed) return;
    for (const number of [1, standardError()]) duplicateTo(this.#owned.fd, number);
  }

  /** Never rejects. One after the other: of two that opened at once, the one that is done last need not be the newest. */
  reopen(): Promise<void> {
    const { open } = this.#manner;
    if (open !== null) this.#reopening = this.#reopening.then(() => this.#replace(open, 'told'));
    return this.#reopening;
  }

  close(): void {
    this.#forgetRetry();
    this.#owned.close();
  }

  async #replace(open: () => Promise<OwnedFd>, why: 'told' | 'failed before'): Promise<void> {
    this.#forgetRetry();
    if (this.#owned.closed) return;
    try {
      using opened = await open();
      // It was closed meanwhile, or `open` has returned the very same: closing that would close this.
      if (this.#owned.closed) return;
      if (opened.fd === this.#owned.fd) {
        opened.release();
        return;
      }
      // In one step: whoever writes to the number writes to the old file or to the new one, and nothing is lost.
      duplicateTo(opened.fd, this.#owned.fd);
      this.lead();
    } catch (error) {
      if (this.#owned.closed) return;
      this.#retry = setTimeout(() => {
        this.#reopening = this.#reopening.then(() => this.#replace(open, 'failed before'));
      }, retryInterval).unref();
      // Once: what is tried every second would fill the log that there is.
      if (why === 'told') this.#manner.report(error);
    }
  }

  #forgetRetry(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
  }
}

/** A number that is nobody's is told now, and not when everything is closed. */
function ownedOf(name: string, opened: number | OwnedFd): OwnedFd {
  const owned = typeof opened === 'number' ? new OwnedFd(opened, `the descriptor "${name}"`) : opened;
  try {
    setCloseOnExec(owned.fd, true);
    return owned;
  } catch (error) {
    owned.release();
    throw error;
  }
}
