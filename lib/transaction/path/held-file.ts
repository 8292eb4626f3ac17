import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lchmodSync,
  lchownSync,
  lstatSync,
  openSync,
  type Stats,
} from 'node:fs';

/** open(2) of Linux: names a file without opening it, which for a socket's there is no other way to do. Node has no name for it. */
const O_PATH = 0o10000000;

/** Where a descriptor can be written as a path. It leads to the very file, whatever its name leads to by now. */
const descriptors = '/proc/self/fd';

/**
 * A file that is looked at and changed by one name without ever being another one meanwhile: whoever may write to the folder
 * can put a link, or another file by a second name, in its place between any two calls that take the path. chmod(2) would
 * follow the link, and chown(2) of root give away what it leads to.
 *
 * Linux holds the file itself (O_PATH), and changes that by its descriptor. macOS has no such descriptor, and a chmod(2) that
 * follows no links: what is left there is that another file, no link, is changed.
 */
export class HeldFile implements Disposable {
  readonly #path: string;
  readonly #fd: number | null;

  private constructor(path: string, fd: number | null) {
    this.#path = path;
    this.#fd = fd;
  }

  /** @throws the system's error where there is none: ENOENT, EACCES. A symbolic link is held itself, and not followed. */
  static at(path: string): HeldFile {
    return new HeldFile(path, process.platform === 'linux' ? openSync(path, O_PATH | constants.O_NOFOLLOW) : null);
  }

  look(): Stats {
    return this.#fd === null ? lstatSync(this.#path) : fstatSync(this.#fd);
  }

  /** @throws EPERM. chmod(2). */
  changeMode(mode: number): void {
    if (this.#fd === null) lchmodSync(this.#path, mode);
    else this.#change('chmod', (file) => chmodSync(file, mode));
  }

  /** @throws EPERM: only root gives a file away. chown(2). */
  changeOwner(uid: number, gid: number): void {
    if (this.#fd === null) lchownSync(this.#path, uid, gid);
    else this.#change('chown', (file) => chownSync(file, uid, gid));
  }

  [Symbol.dispose](): void {
    if (this.#fd !== null) closeSync(this.#fd);
  }

  /** Does it by the descriptor; what fails is told of the path that the caller knows. */
  #change(syscall: string, act: (file: string) => void): void {
    const file = `${descriptors}/${this.#fd}`;
    try {
      act(file);
    } catch (error) {
      const { code, errno } = error as NodeJS.ErrnoException;
      const advice = code === 'ENOENT' ? `: it takes ${descriptors}, and /proc is not mounted here` : '';
      const message = `${(error as Error).message.replace(` '${file}'`, '')} '${this.#path}'${advice}`;
      throw Object.assign(new Error(message), { code, errno, syscall, path: this.#path });
    }
  }
}
