// Gives what takes descriptors out of control messages anything to read, for a minute (`npm run fuzz`; `-- --seconds 600`
// for longer): libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer, from the inputs in test/native/fuzz/corpus
// on. Each half of the time goes to one way of compiling it: as on Linux, and with the fallback of macOS.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { addonDefinition } from './prebuild/compile.mjs';

// Debian 12 and Ubuntu 24.04: clang-19 and libclang-rt-19-dev.
const compiler = 'clang++-19';
const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' } } });

const folder = join(root, 'node_modules', '.cache', 'fuzz');
const found = join(folder, 'found');
rmSync(folder, { recursive: true, force: true });
mkdirSync(found, { recursive: true });

const definition = addonDefinition(root);
const includes = [require('node-api-headers').include_dir, dirname(require.resolve('node-addon-api/package.json'))];

for (const flags of [[], ['-DFD_HANDOFF_FORCE_FALLBACK']]) {
  const program = join(folder, `control-messages${flags.join('')}`);
  const parameters = [
    ...['-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover=all', '-g', '-O1', '-fno-omit-frame-pointer'],
    ...[...definition.flags, ...definition.defines.map((define) => `-D${define}`), ...flags],
    ...includes.flatMap((include) => ['-isystem', include]),
    ...['test/native/fuzz/control-messages.cc', 'native/arrivals.cc', '-Wl,--wrap=close', '-Wl,--wrap=fcntl'],
    ...['-o', program],
  ];
  execFileSync(compiler, parameters, { cwd: root, stdio: 'inherit' });
  // What it finds worth keeping goes into the first folder; the committed one is only read.
  const corpora = [found, join(root, 'test', 'native', 'fuzz', 'corpus')];
  const options = [
    `-max_total_time=${Number(values.seconds) / 2}`,
    '-max_len=4200',
    '-print_final_stats=1',
    '-verbosity=0',
  ];
  // An input that fails is written to the current folder and named in what is printed.
  execFileSync(program, [...corpora, ...options], { cwd: folder, stdio: 'inherit' });
}
console.error('fuzz: nothing found');
