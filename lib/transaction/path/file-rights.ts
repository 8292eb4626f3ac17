import { HeldFile } from './held-file.ts';

/** Whose a file is. */
export interface FileOwner {
  /** The number of a user; unchanged by default. Only root can give a file away. */
  readonly uid?: number;
  /** The number of a group; unchanged by default. Without being root, one of the groups that this process is in. */
  readonly gid?: number;
}

/** Who may connect to a socket file: on Linux whoever may write to it. */
export interface FileRights {
  /** Permission bits; left as they are by default. */
  readonly mode?: number | undefined;
  /** Left as it is by default. */
  readonly owner?: FileOwner | undefined;
}

/**
 * Gives a socket file the mode and the owner that are asked for; does nothing where it has them. At no moment more is
 * allowed than before or after: what the new mode does not allow goes first, and what it adds comes last, when the file
 * is the new owner's.
 *
 * Whoever can write to the folder can put another file in its place meanwhile, which must not be given away: what is changed
 * is what was looked at, and what is not a socket is left alone.
 *
 * @throws {Error} EPERM (only root gives a file away), ENOENT (somebody has removed it). chmod(2), chown(2).
 */
export function applyFileRights(path: string, { mode, owner }: FileRights): void {
  if ((mode === undefined && owner === undefined) || path.startsWith('@')) return;
  using held = HeldFile.at(path);
  const file = held.look();
  if (!file.isSocket()) return;
  const present = file.mode & 0o777;
  const wanted = mode ?? present;
  const { uid = file.uid, gid = file.gid } = owner ?? {};
  const changesOwner = uid !== file.uid || gid !== file.gid;
  const common = changesOwner ? present & wanted : wanted;
  if (common !== present) held.changeMode(common);
  if (changesOwner) held.changeOwner(uid, gid);
  if (wanted !== common) held.changeMode(wanted);
}
