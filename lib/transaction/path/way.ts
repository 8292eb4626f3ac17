import { lstatSync, readlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** A folder, or a symbolic link, by which the kernel gets to a path. */
export interface Step {
  readonly path: string;
  readonly is: 'folder' | 'link';
  /** Whose it is. */
  readonly uid: number;
  /** Permission bits, with the sticky one. */
  readonly mode: number;
}

/** As many links as Linux itself follows on one way. */
const mostLinks = 40;

const writableByOthers = 0o022;
const sticky = 0o1000;

/**
 * Every folder and every symbolic link on the way to what stands at `path`, in the order in which the kernel goes by them. A
 * path in its written form, or in its resolved one alone, would not tell of the folder of a link on the way, whose owner can
 * lead the next look elsewhere.
 *
 * @throws the system's error where the way ends, ELOOP for links that lead round
 */
export function wayTo(path: string): Step[] {
  const steps: Step[] = [stepAt('/')];
  const names = dirname(resolve(path)).split('/');
  let folder = '/';
  for (let links = 0; names.length > 0; ) {
    const name = names.shift() as string;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      folder = dirname(folder);
      continue;
    }
    const step = stepAt(join(folder, name));
    steps.push(step);
    if (step.is === 'folder') {
      folder = step.path;
      continue;
    }
    links += 1;
    if (links > mostLinks)
      throw Object.assign(new Error(`ELOOP: too many symbolic links on the way, ${path}`), { code: 'ELOOP' });
    const target = readlinkSync(step.path);
    if (target.startsWith('/')) folder = '/';
    names.unshift(...target.split('/'));
  }
  return steps;
}

/**
 * Whether nobody but root can have put there what stands at the end of a way, nor made the way lead there: everything on it
 * belongs to root, and nobody else may write to it. Others may write to a sticky folder on the way, as /tmp is, where they can
 * touch nothing that belongs to root; to the last folder they may not, where they could take a name before root does.
 *
 * @param steps from the root folder to the folder that it stands in
 */
export function isKeptByRoot(steps: readonly Step[]): boolean {
  const last = steps.findLastIndex(({ is }) => is === 'folder');
  return (
    last !== -1 &&
    steps.every(({ is, uid, mode }, index) => {
      if (uid !== 0) return false;
      // The bits of a link mean nothing; those of the folder that it stands in do.
      if (is === 'link' || (mode & writableByOthers) === 0) return true;
      return (mode & sticky) !== 0 && index !== last;
    })
  );
}

function stepAt(path: string): Step {
  const found = lstatSync(path);
  return { path, is: found.isSymbolicLink() ? 'link' : 'folder', uid: found.uid, mode: found.mode & 0o7777 };
}
