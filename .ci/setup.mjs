// Installs and builds what is missing or out of date, so that `npm test` and `npm run demo` work as the first command
// on a fresh clone. Uses nothing but Node: before it has run there are no packages.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

/** When the newest file at or below `path` was modified; 0 if there is none. */
function newest(path) {
  if (!existsSync(path)) return 0;
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((entry) => newest(join(path, entry))));
}

function step(title, product, sources, npmArguments) {
  const built = newest(join(root, product));
  if (built > 0 && sources.every((source) => newest(join(root, source)) <= built)) return;
  console.error(`setup: ${title} (npm ${npmArguments.join(' ')})`);
  try {
    // Their output is of interest only when something fails, and belongs to the error stream: the demo's table is what
    // standard output is for.
    execFileSync(npm, npmArguments, { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  } catch (error) {
    console.error(`setup: "npm ${npmArguments.join(' ')}" failed (${error.status ?? error.code}); see above`);
    process.exit(1);
  }
}

step('installing packages', 'node_modules/.package-lock.json', ['package-lock.json'], ['ci', '--ignore-scripts']);
if (process.platform === 'linux' || process.platform === 'darwin') {
  step(
    'building the addon',
    'build/Release/fd_handoff.node',
    ['native', 'binding.gyp'],
    ['run', '--silent', 'build:native'],
  );
}
step(
  'compiling TypeScript',
  // The last that is written.
  'dist/index.js',
  [
    'lib',
    'tsconfig.json',
    'tsconfig.build.json',
    '.ci/bundle-command.mjs',
    '.ci/bundle-commonjs.mjs',
    '.ci/bundle-library.mjs',
    '.ci/declaration-files.mjs',
  ],
  ['run', '--silent', 'build:lib'],
);
