import { lstatSync, type Stats, unlinkSync } from 'node:fs';
import type { Json } from '../../channel/frame.ts';

/** What is at the path of a socket that is bound. */
export type SocketFileState =
  /** Its own file: who connects there reaches it. */
  | 'there'
  /** Nothing: somebody has removed the file (by hand, tmpfiles, a volume that was made anew). */
  | 'missing'
  /** Something that is not its own: another process's socket, or a file. */
  | 'replaced';

/**
 * The file of a Unix socket, known by device and inode: a path alone does not tell one's own file from one that somebody
 * else has put in its place. As long as the socket is open anywhere, no other file can get its inode.
 */
export class SocketFile {
  readonly path: string;
  /** Null where nobody has told: every socket at the path is taken for its own then. */
  readonly #identity: string | null;

  private constructor(path: string, identity: string | null) {
    this.path = path;
    this.#identity = identity;
  }

  /** Of a socket that has just been bound. */
  static bound(path: string): SocketFile {
    return new SocketFile(path, identityOf(path));
  }

  /** Of a socket that came from another process. @param note what that knew of the file, if it has told */
  static noted(path: string, note: Json | undefined): SocketFile {
    return new SocketFile(path, typeof note === 'string' ? note : null);
  }

  /** Of a socket at whose path another one has been bound since. */
  static lost(path: string): SocketFile {
    return new SocketFile(path, 'lost');
  }

  /** For the manifest; empty where there is nothing to tell. */
  get notes(): { file?: string } {
    return this.#identity === null ? {} : { file: this.#identity };
  }

  state(): SocketFileState {
    if (this.path.startsWith('@')) return 'there';
    const present = look(this.path);
    if (present === 'hidden') return 'there';
    if (present === null) return 'missing';
    if (!present.isSocket()) return 'replaced';
    return this.#identity === null || this.#identity === identityOf(this.path) ? 'there' : 'replaced';
  }

  /**
   * Removes it, where it is the socket's own. The socket must be open still. One race remains, because no system call
   * removes a file by its inode.
   *
   * A service that has dropped its privileges may not remove what root has bound for it in a folder of root's: it stays, and
   * the next start there removes it, as it does after a crash.
   */
  remove(): void {
    if (this.path.startsWith('@') || this.state() !== 'there') return;
    try {
      unlinkSync(this.path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EPERM') throw error;
    }
  }
}

/** `hidden`: in a folder that this user may not even search, where its own stays in all likelihood, and it could change nothing. */
function look(path: string): Stats | 'hidden' | null {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return 'hidden';
    throw error;
  }
}

/** Exact: an inode can have more digits than a number of JavaScript. */
function identityOf(path: string): string | null {
  if (path.startsWith('@')) return null;
  const present = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return present === undefined ? null : `${present.dev}:${present.ino}`;
}
