import { lstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** How long the path of a Unix socket may be, in bytes: what `sun_path` holds, without the NUL that ends it. */
const longestPath = process.platform === 'darwin' ? 103 : 107;

type SystemError = NodeJS.ErrnoException & { readonly code: string };

/**
 * The system's error for a path at which something is to be made, with what to do about it: `bind ENOENT` alone does not
 * tell that it is the folder that is missing. Code, errno and syscall stay as they are; what is no error of the system is
 * given back as it is.
 *
 * @param what it was to be, for the message: `The control socket`
 * @param outcome what has failed of it
 */
export function pathError(error: unknown, what: string, path: string, outcome = 'cannot be used'): unknown {
  if (!isSystemError(error)) return error;
  const { code, errno, syscall } = error;
  const advice = adviceOn(code, path);
  const message = `${what} ${path} ${outcome}: ${error.message}.${advice === null ? '' : ` ${advice}`}`;
  return Object.assign(new Error(message, { cause: error }), { code, errno, syscall, path });
}

function isSystemError(error: unknown): error is SystemError {
  const { code, syscall } = (error ?? {}) as Partial<SystemError>;
  return error instanceof Error && typeof code === 'string' && typeof syscall === 'string';
}

function adviceOn(code: string, path: string): string | null {
  const folder = dirname(path);
  switch (code) {
    case 'ENOENT':
      return isThere(folder)
        ? `The file system of ${folder} takes no such file: give a path elsewhere.`
        : `The folder ${folder} does not exist: make it (mkdir -p ${folder}), or give another path.`;
    case 'ENOTDIR':
      return `Something on the way to ${path} is a file and not a folder: give another path.`;
    case 'ELOOP':
      return `The symbolic links on the way to ${path} lead back to themselves: give another path.`;
    case 'ENAMETOOLONG':
      return `It has ${Buffer.byteLength(path)} bytes, and the path of a socket has ${longestPath} at most: give a shorter one, in /run or /tmp, say, or relative to a folder that is reached by a short link.`;
    case 'EACCES':
      return (
        belongsToAnother(path) ??
        `User ${userId()} may not write to ${folder}: give that user the right to (chown, chmod), or a path in a folder of its own.`
      );
    case 'EPERM':
      return `The file system of ${folder} does not allow it: give a path elsewhere, in /run or /tmp, say.`;
    case 'EROFS':
      return `${folder} is on a file system that can only be read: give a path on one that can be written to, in /run or /tmp, say (of a container, a tmpfs or a volume).`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `There is no room left for it in ${folder}${code === 'EDQUOT' ? ' by the quota of this user' : ''} (of blocks or of inodes: df, df -i): make some.`;
    case 'EOPNOTSUPP':
    case 'ENOTSUP':
    case 'ENOSYS':
    case 'ENXIO':
    case 'ENOLCK':
      return path.startsWith('@')
        ? 'Abstract addresses are there on Linux only: give a path.'
        : `The file system of ${folder} has no sockets, or no locks (some network file systems and shared folders have not): give a path on a local one, in /run or /tmp, say.`;
    case 'EMFILE':
      return 'This process has as many descriptors open as it may: raise its limit (ulimit -n, LimitNOFILE=).';
    case 'ENFILE':
      return 'The system has as many descriptors open as it may: raise its limit (sysctl fs.file-max).';
    default:
      return null;
  }
}

function userId(): number | undefined {
  return process.geteuid?.();
}

function isThere(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false }) !== undefined;
}

/** Null where nothing is there, or nothing that this user may see. */
function belongsToAnother(path: string): string | null {
  try {
    const { uid } = lstatSync(path);
    // Its own, in a folder in which it may change nothing: then it is about the folder.
    if (uid === userId()) return null;
    return `It belongs to user ${uid}, and this process is user ${userId()}: start it as that user or as root, or give another path.`;
  } catch {
    return null;
  }
}
