import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The file that this code is in: one of the package, or the bundle that it has become a part of.
 *
 * `__filename` comes first, which only CommonJS has: in a bundle of it, `import.meta.url` is undefined (esbuild, rollup) or
 * names the file that was on the machine where the bundle was made (webpack, Rspack). Some set `__filename` to a path that
 * leads nowhere; then the program that was started is the best guess at the bundle.
 */
export function ownFile(): string {
  const url: string | undefined = import.meta.url;
  const candidates = [
    typeof __filename === 'string' ? __filename : '',
    url?.startsWith('file:') === true ? fileURLToPath(url) : '',
    process.argv[1] ?? '',
  ];
  return candidates.find((file) => isAbsolute(file) && existsSync(file)) ?? process.execPath;
}
