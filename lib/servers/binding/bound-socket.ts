import { dirname } from 'node:path';
import { Deadline } from '../../channel/deadline.ts';
import { describe } from '../../fd/describe.ts';
import { setNonBlocking } from '../../fd/descriptor.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import type { OwnedFd } from '../../fd/owned-fd.ts';
import type { Keeper } from '../../transaction/keeper.ts';
import type { ManifestEntry, NamedDescriptor } from '../../transaction/manifest.ts';
import { claimUnixPath, type UnixListenerOptions } from '../../transaction/path/control-path.ts';
import { pathError } from '../../transaction/path/path-error.ts';
import { SocketFile } from '../../transaction/path/socket-file.ts';
import { type BoundAddress, formatAddress, whereOf } from './address.ts';

/**
 * How long the folder of a socket path may stay locked by another start. The lock is held for the few system calls
 * between a look at the old file and bind(2) or listen(2); ten seconds say that something else locks that folder.
 */
const lockTimeout = 10_000;

/**
 * A socket that is bound under a name, and goes from process to process. It is bound by the addon and not by Node, so that
 * closing what Node made of it never unlinks its path.
 */
export abstract class BoundSocket {
  readonly name: string;
  readonly inherited: boolean;
  readonly address: BoundAddress;
  /**
   * Who else keeps it, so that it outlives this process; null where nobody does. Its file is not removed then: whoever comes
   * by it waits for the next start.
   */
  keeper: Keeper | null = null;
  /** Null for a socket that has none. */
  #file: SocketFile | null;
  #descriptor: OwnedFd;

  /** @param descriptor is taken over */
  constructor(
    name: string,
    descriptor: OwnedFd,
    inherited: boolean,
    file: SocketFile | null,
    address = boundAddress(descriptor.fd),
  ) {
    this.name = name;
    this.inherited = inherited;
    this.#descriptor = descriptor;
    this.#file = file;
    this.address = address;
  }

  /** Whether whoever goes to its path comes to it: a socket file can be removed or replaced by anybody. */
  get isReachable(): boolean {
    return this.#file === null || this.#file.state() === 'there';
  }

  /** What goes into the manifest of its file. */
  protected get fileNotes(): { file?: string } {
    return this.#file?.notes ?? {};
  }

  /** For the manifest; borrowed. */
  abstract get named(): NamedDescriptor;

  /** The number; borrowed. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /** Whether it was let go of: nobody can accept or receive here any more. */
  get closed(): boolean {
    return this.#descriptor.closed;
  }

  /**
   * Gives Node a copy: the same descriptor twice in one event loop is EEXIST, and Node closes what it was given.
   *
   * @param take has taken it unless it throws
   */
  lend(take: (fd: number) => void): void {
    const copy = this.#descriptor.dup();
    try {
      take(copy.fd);
      copy.release();
    } catch (error) {
      copy.close();
      throw error;
    }
  }

  /** Undoes what a successor may have done to the open file description that it shares with this process. */
  reassert(): void {
    // One that was made blocking would make our own accept(2) or recvmsg(2) block (tableflip#60).
    setNonBlocking(this.#descriptor.fd, true);
  }

  /** Has another socket in the place of one that was closed. */
  protected replace(descriptor: OwnedFd): void {
    this.#descriptor = descriptor;
    this.#file = fileOf(this.address);
    this.keeper = null;
  }

  /** Closes this process's copy; others that share the socket are served on. */
  close(): void {
    this.#descriptor.close();
  }

  /** Closes a socket that nobody is to inherit: its file goes too, while it is still certain whose it is. */
  remove(): void {
    try {
      this.removeFile();
    } finally {
      this.close();
    }
  }

  protected removeFile(): void {
    if (this.keeper === null && !this.#descriptor.closed) this.#file?.remove();
  }
}

/** The file of a socket that has just been bound there; null where it has none. */
export function fileOf({ path }: BoundAddress): SocketFile | null {
  return path === undefined ? null : SocketFile.bound(path);
}

/** The file of a line of the manifest; null where that is not at a path. */
export function fileInManifest({ path, file }: ManifestEntry): SocketFile | null {
  return typeof path === 'string' ? SocketFile.noted(path, file) : null;
}

/** The address that the kernel gives for a socket. */
export function boundAddress(fd: number): BoundAddress {
  const description = describe(fd);
  if (description.kind !== 'socket') return {};
  return whereOf(description);
}

/** Whether clients can come by a descriptor: a listener, or a datagram socket. */
export function receives(fd: number): boolean {
  const description = describe(fd);
  return description.kind === 'socket' && (description.listening || description.type === 'datagram');
}

/**
 * A new socket at `path`.
 *
 * @throws ERR_HANDOFF_ALREADY_OWNED where somebody has the path
 */
export async function bindPath(path: string, options: UnixListenerOptions): Promise<OwnedFd> {
  using deadline = Deadline.after(lockTimeout, `The folder ${dirname(path)} was not unlocked`);
  const descriptor = await claimUnixPath(path, options, deadline.signal).catch((error) => {
    throw pathError(error, 'The socket', path);
  });
  if (descriptor !== null) return descriptor;
  throw new HandoffError(
    'ERR_HANDOFF_ALREADY_OWNED',
    `Another process listens on ${formatAddress({ path })}: stop it, take over from it, or give another path.`,
  );
}
