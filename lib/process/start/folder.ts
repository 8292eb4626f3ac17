import { realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, normalize, resolve, sep } from 'node:path';

/** What there is to tell the folder of a start from. */
export interface FolderEvidence {
  /** The current folder when the library was loaded, without links; null where it was removed. */
  readonly current: string | null;
  /** `$PWD` of the start. Whoever starts a program in a folder need not set it. */
  readonly pwd: string | undefined;
  /** The script as it was written; null where there is none. Not asked where the others agree: it may cost something. */
  readonly script: () => string | null;
  /** Where Node has found it, with the folder of the start: `process.argv[1]`. */
  readonly found: string | undefined;
}

/**
 * The folder in which a process was started, through the links that it was entered by. It is the current one, unless the
 * program has left that before it loaded this library: a relative script tells, since Node makes its path absolute at the
 * start. Where a folder was entered through a link, only `$PWD` knows that; it is believed if it speaks of the same folder.
 */
export function folderOfStart({ current, pwd, script: asWritten, found }: FolderEvidence): string {
  const logical = pwd !== undefined && isAbsolute(pwd) ? pwd : null;
  const real = logical === null ? null : realPath(logical);
  if (logical !== null && real !== null && real === current) return logical;
  const script = asWritten();
  const fits = (folder: string | null): folder is string =>
    folder !== null &&
    (script === null || isAbsolute(script) || found === undefined || resolve(folder, script) === found);
  const started = fits(current) ? current : (above(script, found) ?? (fits(real) ? real : current));
  // The folder was removed under us. An upgrade will fail with a clear error then; importing must not.
  if (started === null) return logical ?? '/';
  return logical !== null && real === started ? logical : started;
}

/** The folder from which `script` leads to `found`; null where it leads upwards first. */
function above(script: string | null, found: string | undefined): string | null {
  if (script === null || found === undefined || isAbsolute(script)) return null;
  const inside = normalize(script);
  if (inside === '.') return found;
  if (inside.startsWith('..') || !found.endsWith(`${sep}${inside}`)) return null;
  return found.slice(0, -inside.length - 1) || dirname(join(sep, inside));
}

function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}
