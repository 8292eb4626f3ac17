import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the project. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** What `npm pack` says of the package. */
export interface Packed {
  readonly filename: string;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** Packs what is on the disk, without building it first; into `folder`, or only as a trial. */
export function pack(folder?: string): Packed {
  const into = folder === undefined ? ['--dry-run'] : ['--pack-destination', folder];
  const output = execFileSync('npm', ['pack', '--json', '--ignore-scripts', ...into], { cwd: root, encoding: 'utf8' });
  const [packed] = JSON.parse(output) as Packed[];
  if (packed === undefined) throw new Error('npm pack says nothing');
  return packed;
}

/** Runs a script of .ci to its end. */
export function runCi(script: string, ...parameters: string[]): { status: number | null; stdout: string } {
  const { status, stdout } = spawnSync(process.execPath, [join(root, '.ci', script), ...parameters], {
    cwd: root,
    encoding: 'utf8',
  });
  return { status, stdout };
}
