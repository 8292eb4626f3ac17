// Compiles lib/ into a file for each entry of the package and a few that they share: Node takes half a millisecond for every
// file that it has to find, read and link, and a file for each of a hundred sources would be most of a server's start.
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = join(root, 'dist');

const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const command = readFileSync(join(output, 'cli', 'fd-handoff.js'), 'utf8');

/** What others import: users by the package's name, and the command by the place beside it. */
const entries = new Set([
  ...Object.values(exports).flatMap((entry) => (typeof entry === 'object' ? [entry.default] : [])),
  ...[...command.matchAll(/\bfrom\s*"\.\.\/([^"]+)"/g)].map(([, path]) => `./dist/${path}`),
]);

rmSync(join(output, 'shared'), { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: [...entries].map((path) => path.replace('./dist/', 'lib/').replace(/\.js$/, '.ts')),
  outbase: 'lib',
  outdir: 'dist',
  chunkNames: 'shared/[hash]',
  bundle: true,
  splitting: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  sourcemap: true,
  legalComments: 'none',
  metafile: true,
});

// The addon is looked for two folders above the file that looks: lib/fd/native.ts says so.
for (const [file, { inputs }] of Object.entries(metafile.outputs)) {
  if (!('lib/fd/native.ts' in inputs)) continue;
  if (dirname(dirname(relative(output, join(root, file)))) !== '.') {
    throw new Error(`lib/fd/native.ts came to be in ${file}, which is not one folder below dist/`);
  }
}
