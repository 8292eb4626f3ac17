// Makes the command `fd-handoff` of lib/cli: one file with what it needs of other packages, so that the package itself keeps
// its one dependency. The library stays outside: the command runs what an application would import. Beside it go the licence
// texts of what is in it.
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = join(root, 'lib', 'cli');
const folder = join(root, 'dist', 'cli');
const output = join(folder, 'fd-handoff.js');

/** What the files below lib/cli import from elsewhere in lib/, seen from dist/cli, where the command is one file. */
const libraryOutside = {
  name: 'library-outside',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\// }, ({ path, importer }) => {
      const imported = join(dirname(importer), path);
      if (!isBelow(importer, sources) || isBelow(imported, sources)) return undefined;
      return { path: relative(sources, imported).replace(/\.ts$/, '.js'), external: true };
    });
  },
};

function isBelow(file, folder) {
  return !relative(folder, file).startsWith('..');
}

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: [join(sources, 'fd-handoff.ts')],
  outfile: output,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  minify: true,
  legalComments: 'none',
  // What was written as CommonJS asks for Node's own modules by require().
  banner: {
    js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);",
  },
  plugins: [libraryOutside],
  metafile: true,
});
chmodSync(output, 0o755);

/** The folder of the package that a file belongs to; null for files of the project. */
function packageOf(file) {
  const parts = file.split('/');
  const start = parts.lastIndexOf('node_modules');
  if (start < 0) return null;
  return parts.slice(0, start + (parts[start + 1].startsWith('@') ? 3 : 2)).join('/');
}

function licenceOf(name) {
  const path = join(root, name);
  const { name: packageName, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  const file = readdirSync(path).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${packageName} (${license}) has no licence text to go with the command`);
  return `${packageName} ${version} (${license})\n\n${readFileSync(join(path, file), 'utf8').trim()}\n`;
}

// Only what left something in the output: a package whose every line was dropped is not in it.
const [{ inputs }] = Object.values(metafile.outputs);
const bundled = Object.entries(inputs).flatMap(([file, { bytesInOutput }]) =>
  bytesInOutput > 0 ? [packageOf(file)] : [],
);
const packages = [...new Set(bundled.filter((name) => name !== null))].sort();
const texts = join(folder, 'LICENCES.txt');
writeFileSync(
  texts,
  `dist/cli/fd-handoff.js contains parts of these packages.\n\n${packages.map(licenceOf).join(`\n${'-'.repeat(80)}\n\n`)}`,
);
