import { closeSync, lstatSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createToken } from '../channel/token.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import { pathError } from '../transaction/path/path-error.ts';

/** Everybody may read who serves; only this user may say it. */
const mode = 0o644;

/**
 * The file that says which process owns the service. It is replaced in one step (rename(2) in its own folder), so that a
 * reader finds the old owner or the new one, and never half a number or nothing.
 */
export class PidFile {
  readonly path: string;

  /** @param path absolute */
  constructor(path: string) {
    this.path = path;
  }

  /**
   * Throws where the file could not be written later: to find that out after commit would be too late.
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
    unlinkSync(this.#written(''));
  }

  /** The process that it names; null where there is no such file, or no number in it. */
  read(): number | null {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch {
      return null;
    }
    return /^[1-9]\d{0,9}\n?$/.test(text) ? Number(text) : null;
  }

  /** The living process that it names, if that is neither this one nor `gone`. Process ids are used again: it may be any. */
  stranger(gone: number | null = null): number | null {
    const pid = this.read();
    return pid === null || pid === process.pid || pid === gone || !isLiving(pid) ? null : pid;
  }

  /** Names this process, or another one that owns the service. */
  write(pid: number = process.pid): void {
    const written = this.#written(`${pid}\n`);
    try {
      renameSync(written, this.path);
    } catch (error) {
      unlinkSync(written);
      throw notWritten(this.path, error);
    }
  }

  /** Names `pid` in the place of this process; a file that names another one is left alone. */
  bequeath(pid: number): void {
    if (this.read() === process.pid) this.write(pid);
  }

  /**
   * Removes the file if it names this process. One race remains, because no system call removes a file by its content: a
   * process that starts afresh and is ready in the moment between the look and the removal loses its file. A successor is
   * not in danger: it writes while this process still waits for its answer.
   */
  remove(): void {
    if (this.read() === process.pid) unlinkSync(this.path);
  }

  /** The path of a new file beside it, with `text` in it. */
  #written(text: string): string {
    const path = join(dirname(this.path), `.${basename(this.path)}.${createToken()}`);
    let created = false;
    try {
      const file = openSync(path, 'wx', mode);
      created = true;
      try {
        writeSync(file, text);
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

function notWritten(path: string, error: unknown): unknown {
  return pathError(error, 'The PID file', path, 'cannot be written');
}
