import { isMainThread } from 'node:worker_threads';
import { getCloseOnExec, getNonBlocking, setCloseOnExec, setNonBlocking } from '../fd/descriptor.ts';
import { exec } from '../fd/exec.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import type { OwnedFd } from '../fd/owned-fd.ts';
import { notStarted } from '../process/start/child.ts';
import { reexecVariable } from '../process/start/environment.ts';
import { findExecutable } from '../process/start/executable.ts';
import type { Launch } from '../process/start/launch.ts';

const standardStreams = [0, 1, 2];

/**
 * Replaces the program of this process by `image`. The PID stays, and so do the descriptors
 * `surviving` and nothing else. Returns only by throwing ERR_HANDOFF_EXEC_FAILED, with everything as it was before.
 */
export function execInPlace(image: Image, record: OwnedFd, surviving: readonly number[]): never {
  const undo: (() => void)[] = [];
  try {
    for (const fd of [...surviving, record.fd]) keepOpen(fd, undo);
    for (const fd of standardStreams) {
      // Node marks 0 to 2 close-on-exec at its start: the next image would write to nowhere.
      keepOpen(fd, undo);
      // And makes them non-blocking where it can: a program that does not expect that fails with EAGAIN.
      makeBlocking(fd, undo);
    }
    const before = process.cwd();
    process.chdir(image.cwd);
    undo.push(() => process.chdir(before));
    exec(image.file, [image.command, ...image.args], { ...image.env, [reexecVariable]: String(record.fd) });
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw execFailed(image, error as Error);
  }
}

/** A launch whose program was found: execve(2) takes a path, and the program is told the name. */
export interface Image extends Launch {
  readonly file: string;
}

/**
 * Finds the program of the next image as a start in its folder and with its `PATH` would.
 *
 * @throws ERR_HANDOFF_EXEC_FAILED where there is none that may be run
 */
export function imageOf(launch: Launch): Image {
  try {
    return { ...launch, file: findExecutable(launch) };
  } catch (error) {
    throw notStarted({ name: 'next image', others: 'this process serves on' }, error, launch);
  }
}

/** Throws where an exec cannot be: it would take the main thread along. */
export function requireMainThread(): void {
  if (isMainThread) return;
  throw new HandoffError(
    'ERR_HANDOFF_EXEC_FAILED',
    'reexec() was called in a worker thread, and replaces the whole process: call it in the main thread.',
  );
}

function keepOpen(fd: number, undo: (() => void)[]): void {
  let before: boolean;
  try {
    before = getCloseOnExec(fd);
  } catch {
    // A standard stream that is closed has nothing to survive.
    return;
  }
  setCloseOnExec(fd, false);
  undo.push(() => setCloseOnExec(fd, before));
}

function makeBlocking(fd: number, undo: (() => void)[]): void {
  try {
    const before = getNonBlocking(fd);
    setNonBlocking(fd, false);
    undo.push(() => setNonBlocking(fd, before));
  } catch {
    // Closed, as above.
  }
}

function execFailed({ command }: Image, cause: Error): HandoffError {
  return new HandoffError(
    'ERR_HANDOFF_EXEC_FAILED',
    `This process could not be replaced by ${command}: ${cause.message}. It serves on.`,
    { cause },
  );
}
