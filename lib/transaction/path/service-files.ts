import type { FileOwner } from './file-rights.ts';
import type { ServiceUser } from './socket-owner.ts';

/**
 * To whom root gives the files of a service: to the user that the service becomes, who could neither connect to them nor
 * remove them otherwise. Undefined where they stay whose they are: no user was named, or this process is not root, and its
 * files are its own.
 */
export function ownerForFiles(user: ServiceUser | null): FileOwner | undefined {
  return user !== null && process.geteuid?.() === 0 ? user : undefined;
}

/** What else a listener is told where it is to have a socket file, and nothing was said of whose that is. */
interface FileWish {
  readonly path?: string;
  readonly owner?: FileOwner;
}

/** A listener's options, with its socket file given to the user that the service becomes. */
export function withFileFor<Options extends FileWish>(user: ServiceUser | null, options: Options): Options {
  const owner = ownerForFiles(user);
  // What is no object is told by whoever reads it.
  if (owner === undefined || options?.path === undefined || String(options.path).startsWith('@')) return options;
  return { owner, ...options };
}
