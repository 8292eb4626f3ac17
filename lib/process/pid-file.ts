import { closeSync, fchownSync, lstatSync, openSync, renameSync, type Stats, unlinkSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createToken } from '../channel/token.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { pathError } from '../transaction/path/path-error.ts';
import { ownerForFiles } from '../transaction/path/service-files.ts';
import type { ServiceUser } from '../transaction/path/socket-owner.ts';
import { WrittenNumber } from './written-number.ts';

/** Everybody may read who serves; only this user may say it. */
const mode = 0o644;

/**
 * The file that says which process owns the service. It is replaced in one step (rename(2) in its own folder), so that a
 * reader finds the old owner or the new one, and never half a number or nothing.
 *
 * A service that has dropped root's privileges may not write to a folder of root's (/run). Root gives it the file while it
 * can, and the service writes into that: in steps that show whole numbers only. So it does where there is no room for a new
 * file, since a number over the old one takes none.
 */
export class PidFile {
  readonly path: string;
  readonly #user: ServiceUser | null;

  /**
   * @param path absolute
   * @param user to whom root gives it; null where it stays whose it is
   */
  constructor(path: string, user: ServiceUser | null = null) {
    this.path = path;
    this.#user = user;
  }

  /**
   * Throws where the file could not be written later: to find that out after commit would be too late. Root gives it to the
   * service's user here, with what is in it: later this process may not be root any more.
   *
   * @throws the system's error for the folder (ENOENT, EACCES, EROFS …); ERR_HANDOFF_ALREADY_OWNED where something else
   *   than a file has that path
   */
  check(): void {
    const present = lstatSync(this.path, { throwIfNoEntry: false });
    if (present?.isDirectory() === true) {
      throw new HandoffError(
        'ERR_HANDOFF_ALREADY_OWNED',
        `${this.path} is a folder, and is to be the PID file: give the path of a file in it, such as ${join(this.path, 'app.pid')}.`,
      );
    }
    if (present !== undefined && !present.isFile()) {
      throw new HandoffError(
        'ERR_HANDOFF_ALREADY_OWNED',
        `${this.path} is to be the PID file, exists, and is not a regular file: it is left alone. Remove it, or give another path.`,
      );
    }
    this.#inItsPlace(
      () => unlinkSync(this.#written('')),
      () => this.#overwrite(null),
    );
    this.#give(present);
  }

  /** The process that it names; null where there is no such file, or no number in it. */
  read(): number | null {
    return WrittenNumber.read(this.path);
  }

  /** The living process that it names, if that is neither this one nor `gone`. Process ids are used again: it may be any. */
  stranger(gone: number | null = null): number | null {
    const pid = this.read();
    return pid === null || pid === process.pid || pid === gone || !isLiving(pid) ? null : pid;
  }

  /** Names this process, or another one that owns the service. */
  write(pid: number = process.pid): void {
    const text = `${pid}\n`;
    this.#inItsPlace(
      () => this.#replace(text),
      () => this.#overwrite(text),
    );
  }

  /**
   * Names `pid` in the place of this process; a file that names another one is left alone. It is never removed for want of
   * a better number: where it can be neither replaced nor written over, the old number stays.
   */
  bequeath(pid: number): void {
    if (this.read() === process.pid) this.write(pid);
  }

  /**
   * Removes the file if it names this process. One race remains, because no system call removes a file by its content: a
   * process that starts afresh and is ready in the moment between the look and the removal loses its file. A successor is
   * not in danger: it writes while this process still waits for its answer.
   *
   * Where the folder is another user's nothing can be removed: an empty file stays, which names nobody. The number of a
   * process that is gone would be another process's sooner or later, and a script would send that its signals.
   */
  remove(): void {
    if (this.read() !== process.pid) return;
    this.#inItsPlace(
      () => unlinkSync(this.path),
      () => this.#overwrite(''),
    );
  }

  /** Does `act`; where nothing can be changed in the folder, `within` does it in the file that is there. */
  #inItsPlace(act: () => void, within: () => void): void {
    try {
      act();
    } catch (error) {
      if (!isAboutFolder(error)) throw error;
      try {
        within();
      } catch {
        // There is none either, or it is not this user's: what to do is about the folder.
        throw error;
      }
    }
  }

  /**
   * A new one with the number that was in the old. To give away a file that is there would be to give away what it is a link to;
   * and of what a service's user can put there in this moment, a link to a file for root alone, say, no more than a number is
   * passed on.
   */
  #give(present: Stats | undefined): void {
    const owner = ownerForFiles(this.#user);
    if (owner === undefined || present?.uid === owner.uid) return;
    const pid = this.read();
    this.#replace(pid === null ? '' : `${pid}\n`);
  }

  #replace(text: string): void {
    const written = this.#written(text);
    try {
      renameSync(written, this.path);
    } catch (error) {
      unlinkSync(written);
      throw notWritten(this.path, error);
    }
  }

  /** @param text null only looks whether it could be written */
  #overwrite(text: string | null): void {
    if (!WrittenNumber.replace(this.path, text)) throw noRoom();
  }

  /** The path of a new file beside it, with `text` in it. */
  #written(text: string): string {
    const path = join(dirname(this.path), `.${basename(this.path)}.${createToken()}`);
    let created = false;
    try {
      const file = openSync(path, 'wx', mode);
      created = true;
      try {
        const { uid, gid } = ownerForFiles(this.#user) ?? {};
        if (uid !== undefined) fchownSync(file, uid, gid ?? process.getegid?.() ?? 0);
        // A file system that is nearly full may take a part of it: half a number would be another process.
        if (writeSync(file, text) !== text.length) throw noRoom();
      } finally {
        closeSync(file);
      }
      return path;
    } catch (error) {
      if (created) unlinkSync(path);
      throw notWritten(this.path, error);
    }
  }
}

/** Whether there is such a process; one of another user is one, too. */
function isLiving(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** No room for another file (of blocks, of inodes, or in a quota), or not the right to change that folder. */
function isAboutFolder(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EACCES' || code === 'EPERM';
}

/** As the system says it where nothing at all could be written. */
function noRoom(): Error {
  const errno = -constants.errno.ENOSPC;
  const message = 'ENOSPC: no space left on device, write';
  return Object.assign(new Error(message), { code: 'ENOSPC', errno, syscall: 'write' });
}

function notWritten(path: string, error: unknown): unknown {
  return pathError(error, 'The PID file', path, 'cannot be written');
}
