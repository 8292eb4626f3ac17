/**
 * Packages that only the benchmarks want: peers, and what draws the picture. They are fetched when a benchmark first runs,
 * in the versions of bench/packages/package-lock.json, into a cache beside the project's own packages: nobody else waits
 * for them, and `npm ci` does not either.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const listed = join(root, 'bench', 'packages');

/** Packages with an addon of their own, which has to be compiled. */
const compiled = ['usocket'];

/** The folder whose node_modules has them; fetched on the first call, unless that may not be: then this throws. */
export function fetchedPackages(fetch = true): string {
  const lock = readFileSync(join(listed, 'package-lock.json'));
  // By its content, and the runtime that addons are compiled for: another lock is another folder.
  const key = createHash('sha256').update(lock).update(process.versions.modules).digest('hex').slice(0, 16);
  const folder = join(root, 'node_modules', '.cache', 'fd-handoff-bench', key);
  if (existsSync(folder)) return folder;
  if (!fetch) throw new Error('its package was not fetched before, and is not now (--no-fetch)');
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(listed, file), join(unfinished, file));
    npm(unfinished, 'ci', '--ignore-scripts', '--no-audit', '--no-fund');
    npm(unfinished, 'rebuild', ...compiled);
    // In one step, so that a fetch that was interrupted is not taken for a whole one.
    renameSync(unfinished, folder);
    return folder;
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  }
}

/** The path of what `specifier` means to a program that has these packages. */
export function resolveFetched(specifier: string, fetch: boolean): string {
  return createRequire(join(fetchedPackages(fetch), 'package.json')).resolve(specifier);
}

function npm(folder: string, ...commandArguments: string[]): void {
  execFileSync('npm', commandArguments, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
}
