import Module from 'node:module';
import { ownFile } from '../fd/own-file.ts';

let version: string | null = null;

/** The version of this package; "unknown" where a bundle has left its `package.json` behind. */
export function packageVersion(): string {
  version ??= readVersion();
  return version;
}

/** By the package's own name: compiled, this is in whichever file the entries share it by. */
function readVersion(): string {
  try {
    const require = Module.createRequire(ownFile());
    return (require('fd-handoff/package.json') as { version: string }).version;
  } catch {
    return 'unknown';
  }
}
