import { readFileSync } from 'node:fs';

let version: string | null = null;

/** The version of this package; "unknown" where a bundle has left its `package.json` behind. */
export function packageVersion(): string {
  version ??= readVersion();
  return version;
}

/** One folder up from the sources as from the compiled files. */
function readVersion(): string {
  try {
    const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return 'unknown';
  }
}
