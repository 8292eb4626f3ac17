// Format and lint of what is C and C++ here (`npm run lint:native`): clang-format and clang-tidy, of the release that is
// pinned here, because another one would format otherwise. As Debian 12 and Ubuntu 24.04 have it: clang-format-19,
// clang-tidy-19. `-- --fix` formats instead of complaining.
import { execFile, execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { addonDefinition } from './prebuild/compile.mjs';

const release = 19;
const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const { values } = parseArgs({ options: { fix: { type: 'boolean', default: false } } });

const listing = execFileSync(
  'git',
  ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.c', '*.cc', '*.h'],
  {
    cwd: root,
    encoding: 'utf8',
  },
);
const files = listing.split('\0').filter((file) => file !== '');
execFileSync(`clang-format-${release}`, values.fix ? ['-i', ...files] : ['--dry-run', '--Werror', ...files], {
  cwd: root,
  stdio: 'inherit',
});

const definition = addonDefinition(root);
const includes = [
  require('node-api-headers').include_dir,
  dirname(require.resolve('node-addon-api/package.json')),
].flatMap((folder) => ['-isystem', folder]);
const flags = [
  ...definition.flags,
  ...definition.defines.map((define) => `-D${define}`),
  `-DNODE_GYP_MODULE_NAME=${definition.name}`,
  ...includes,
];

/** What clang-tidy says of a file; nothing if it has no complaint. */
async function complaints(file) {
  try {
    await promisify(execFile)(`clang-tidy-${release}`, ['--quiet', file, '--', ...flags], { cwd: root });
    return '';
  } catch ({ stdout, stderr, message }) {
    return stdout || stderr || message;
  }
}

// Most of the time goes into the headers of Node-API, anew for each file.
const waiting = files.filter((file) => /^native\/.*\.cc$|^test\/native\/fuzz\//.test(file));
const workers = Array.from({ length: availableParallelism() }, async () => {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const text = await complaints(file);
    if (text === '') continue;
    console.error(text);
    process.exitCode = 1;
  }
});
await Promise.all(workers);
