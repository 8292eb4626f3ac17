// Zig, which compiles for every target from one machine. It is 400 MB, so it is no dependency of the project: it is
// fetched when addons are built, as its own lockfile says, and stays in a cache folder until the next `npm ci`.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const pinned = fileURLToPath(new URL('zig', import.meta.url));

/** The path of the compiler, fetched into `cache` where it is not there yet. */
export function fetchZig(cache) {
  const host = `${process.platform}-${process.arch}`;
  if (host !== 'linux-x64') {
    throw new Error(`prebuilt addons are made on linux-x64, for which Zig is pinned; this is ${host}`);
  }
  const compiler = join(cache, 'node_modules', '@zigc', host, 'bin', 'zig');
  // npm writes its own lockfile last: a fetch that was interrupted is repeated.
  if (existsSync(compiler) && existsSync(join(cache, 'node_modules', '.package-lock.json'))) return compiler;

  console.error('prebuild: fetching Zig (400 MB)');
  mkdirSync(cache, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(pinned, name), join(cache, name));
  // Not `npm ci`, which wants the packages for all other hosts in the lockfile, too. Both check what arrives against it.
  execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', cache], {
    cwd: cache,
    stdio: ['ignore', 2, 2],
  });
  // For npm the compiler is optional, and one that is not what the lockfile says is left out without a word.
  if (!existsSync(compiler)) throw new Error(`npm did not bring @zigc/${host} as ${pinned} pins it`);
  return compiler;
}
