import { closeSync, constants, lstatSync, openSync, realpathSync, statSync, unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { abortReason } from '../../channel/deadline.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import { tryLock } from '../../fd/lock.ts';
import { OwnedFd } from '../../fd/owned-fd.ts';
import { bindUnix, connectUnix, listen } from '../../fd/socket.ts';
import { applyFileRights, type FileRights } from './file-rights.ts';

/**
 * How often a full backlog or a lock is tried again. Neither has an event to wait for; both are held for well under a
 * millisecond, so that the second try is nearly always the last.
 */
const retryInterval = 5;

/** Bits of a folder's mode: write permission for everybody else, and the restriction of deleting to owners. */
const othersMayWrite = 0o002;
const sticky = 0o1000;

/** How a path is bound; a socket file has its rights from its first moment. */
export type UnixListenerOptions = FileRights &
  ({ readonly type?: 'stream'; readonly backlog: number } | { readonly type: 'datagram' });

/**
 * Throws ERR_HANDOFF_UNTRUSTED_PEER where a control path cannot be trusted: what is received from it is served from, and
 * who connects to it takes over. A folder that every user can write to lets every user put another socket in its place,
 * unless it is sticky as /tmp is; a symbolic link leads to wherever its owner likes.
 */
export function checkControlPath(path: string): void {
  if (path.startsWith('@')) return;
  const folder = dirname(path);
  const { mode } = statSync(folder);
  if ((mode & othersMayWrite) !== 0 && (mode & sticky) === 0) {
    throw new HandoffError(
      'ERR_HANDOFF_UNTRUSTED_PEER',
      `Every user can write to ${folder}, and so replace the control socket ${path}: take that right away (chmod o-w), or give a path in a folder of this user.`,
    );
  }
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
    throw new HandoffError(
      'ERR_HANDOFF_UNTRUSTED_PEER',
      `${path} is a symbolic link, which is not followed: give the path of the control socket itself.`,
    );
  }
}

/** The same for two ways to write one path: the links of its folder are followed. */
export function placeOfPath(path: string): string {
  if (path.startsWith('@')) return path;
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}

/** Whether a socket file is there. One that was removed while its listener lives can be found by nobody. */
export function socketFileExists(path: string): boolean {
  return path.startsWith('@') || lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}

/** A connection to whoever listens at `path`; null where nobody does. Waits while its backlog is full. */
export async function connectTo(path: string, signal: AbortSignal): Promise<OwnedFd | null> {
  for (;;) {
    if (signal.aborted) throw abortReason(signal);
    try {
      return new OwnedFd(connectUnix(path), `a connection to ${path}`);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ECONNREFUSED') return null;
      if (code !== 'EAGAIN') throw error;
    }
    await pause(signal);
  }
}

/**
 * Binds at `path`, and listens there; null where somebody else does. A socket file that nobody listens on is removed
 * first: its owner died. Two starts at once cannot both win, nor can one remove what the other has just bound: the
 * folder is locked from the look at the old file until the new one listens.
 */
export async function claimUnixPath(
  path: string,
  options: UnixListenerOptions,
  signal: AbortSignal,
): Promise<OwnedFd | null> {
  if (path.startsWith('@')) return bindOrNull(path, options);
  const folder = openFolder(path);
  try {
    while (!tryLock(folder)) await pause(signal);
    if (isLive(path)) return null;
    return bindOrNull(path, options);
  } finally {
    closeSync(folder);
  }
}

/** Removes the socket file of a listener that is still held, so that it cannot be another process's file by now. */
export function unlinkWhileHeld(path: string, listener: OwnedFd): void {
  if (path.startsWith('@') || listener.closed) return;
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function openFolder(path: string): number {
  return openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
}

/** Looks whether somebody listens at `path`, and removes the file where nobody does any more. */
function isLive(path: string): boolean {
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (file === undefined) return false;
  if (file.isDirectory()) {
    throw new HandoffError(
      'ERR_HANDOFF_ALREADY_OWNED',
      `${path} is a folder, and a socket needs a path of its own: give one in it, such as ${join(path, 'app.sock')}.`,
    );
  }
  if (!file.isSocket()) {
    throw new HandoffError(
      'ERR_HANDOFF_ALREADY_OWNED',
      `${path} exists and is not a socket: it is left alone. Remove it, or give another path.`,
    );
  }
  try {
    using probe = new OwnedFd(connectUnix(path), `a probe of ${path}`);
    return probe.fd >= 0;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Its queue is full, or it is a datagram socket: somebody holds it.
    if (code === 'EAGAIN' || code === 'EPROTOTYPE') return true;
    if (code === 'ENOENT') return false;
    if (code !== 'ECONNREFUSED') throw error;
    unlinkSync(path);
    return false;
  }
}

function bindOrNull(path: string, options: UnixListenerOptions): OwnedFd | null {
  const { mode, owner, type = 'stream' } = options;
  let listener: OwnedFd;
  try {
    listener = new OwnedFd(bindUnix(path, { type, ...(mode === undefined ? {} : { mode }) }), `the listener ${path}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
  try {
    // Before it listens nobody can connect, whatever the file says.
    applyFileRights(path, { mode, owner });
    if (options.type !== 'datagram') listen(listener.fd, options.backlog);
    return listener;
  } catch (error) {
    unlinkWhileHeld(path, listener);
    listener.close();
    throw error;
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return delay(retryInterval, undefined, { signal }).catch(() => {
    throw abortReason(signal);
  });
}
