import {
  copyFileSync,
  linkSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './packed.ts';

const program = fileURLToPath(new URL('../e2e/programs/started.mjs', import.meta.url));

/** A folder with releases of `started.mjs` in it, and `current`, a link to one of them. */
export class Releases {
  readonly current: string;
  readonly #folder: string;

  /** @param folder what is deployed there finds the library in its `node_modules` */
  constructor(folder: string) {
    this.#folder = realpathSync(folder);
    this.current = join(this.#folder, 'current');
    mkdirSync(join(this.#folder, 'node_modules'));
    symlinkSync(root, join(this.#folder, 'node_modules', 'fd-handoff'));
  }

  /** The folder of a release, without the link. */
  folderOf(version: string): string {
    return join(this.#folder, 'releases', version);
  }

  /** Writes a release that serves `version`, and points `current` to it in one step. */
  deploy(version: string, setting = version): void {
    const folder = this.folderOf(version);
    mkdirSync(folder, { recursive: true });
    copyFileSync(program, join(folder, 'server.mjs'));
    writeFileSync(join(folder, 'version'), version);
    writeFileSync(join(folder, '.env'), `SETTING=${setting}\n`);
    pointTo(this.current, folder);
  }

  remove(version: string): void {
    rmSync(this.folderOf(version), { recursive: true });
  }
}

/** Points a link somewhere else in one step, as deploy scripts do: at no moment it is not there. */
export function pointTo(link: string, target: string): void {
  symlinkSync(target, `${link}.new`);
  renameSync(`${link}.new`, link);
}

/** Puts a runtime into a folder of its own, so that it can be removed again. */
export function installRuntime(executable: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'node');
  try {
    linkSync(realpathSync(executable), path);
  } catch {
    // Another file system.
    copyFileSync(executable, path);
  }
  return path;
}
