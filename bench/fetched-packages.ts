/**
 * Packages that only some benchmarks and tests want: peers, and what draws the picture. They are fetched when they are first
 * asked for, in the versions of a list of their own, into a cache beside the project's own packages: nobody else waits for
 * them, and `npm ci` does not either.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A list of packages, and where they are once they are fetched. */
export class FetchedPackages {
  readonly #name: string;
  readonly #list: string;
  readonly #compiled: readonly string[];

  /**
   * @param name of the folder of the cache
   * @param list the folder that has the list: `package.json` and `package-lock.json`
   * @param compiled those with an addon of their own, which has to be compiled
   */
  constructor(name: string, list: string, compiled: readonly string[] = []) {
    this.#name = name;
    this.#list = list;
    this.#compiled = compiled;
  }

  /** The folder whose node_modules has them; fetched on the first call, unless that may not be: then this throws. */
  folder(fetch = true): string {
    const lock = readFileSync(join(this.#list, 'package-lock.json'));
    // By its content, and the runtime that addons are compiled for: another lock is another folder.
    const key = createHash('sha256').update(lock).update(process.versions.modules).digest('hex').slice(0, 16);
    const folder = join(root, 'node_modules', '.cache', this.#name, key);
    if (existsSync(folder)) return folder;
    if (!fetch) throw new Error('its package was not fetched before, and is not now (--no-fetch)');
    const unfinished = `${folder}.${process.pid}`;
    mkdirSync(unfinished, { recursive: true });
    try {
      for (const file of ['package.json', 'package-lock.json'])
        copyFileSync(join(this.#list, file), join(unfinished, file));
      npm(unfinished, 'ci', '--ignore-scripts', '--no-audit', '--no-fund');
      if (this.#compiled.length > 0) npm(unfinished, 'rebuild', ...this.#compiled);
      // In one step, so that a fetch that was interrupted is not taken for a whole one.
      renameSync(unfinished, folder);
      return folder;
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true });
      // Another process has fetched the same meanwhile.
      if (existsSync(folder)) return folder;
      throw error;
    }
  }

  /** The path of what `specifier` means to a program that has these packages. */
  resolve(specifier: string, fetch = true): string {
    return createRequire(join(this.folder(fetch), 'package.json')).resolve(specifier);
  }
}

/** What the benchmarks want. */
export const benchPackages = new FetchedPackages('fd-handoff-bench', join(root, 'bench', 'packages'), ['usocket']);

function npm(folder: string, ...commandArguments: string[]): void {
  execFileSync('npm', commandArguments, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
}
