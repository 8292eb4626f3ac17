// How much of native/ the low-level suite reaches (`npm run coverage:native`): lines, branches and regions, as clang
// counts them, of the addon as it is on Linux and with the fallback of macOS together. What is not reached is printed;
// where lines or branches are below the threshold, it exits with 1.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildVariant, root, variantEnvironment } from './addon-variant.mjs';
import { kinds, SourceCoverage } from './source-coverage.mjs';

// Debian 12 and Ubuntu 24.04: clang-19, libclang-rt-19-dev, llvm-19.
const release = 19;
/** In per cent. */
const threshold = 90;

/** What tests do not reach, and why: a file, and what its line contains. It counts as not reached all the same. */
const unreachable = [
  ['address.cc', '!kAbstractAddresses', 'compiled for macOS only'],
  ['arrivals.cc', 'header.cmsg_len', 'no kernel writes such a length (npm run fuzz does)'],
  ['arrivals.cc', '!whole', 'no kernel writes such a length (npm run fuzz does)'],
  ['arrivals.cc', 'kControlPidFd && count > 0', 'no kernel writes one without a descriptor (npm run fuzz does)'],
  ['describe.cc', 'S_ISBLK', 'only where the tests may make a block device'],
  ['exec.cc', 'void DoNothing', 'for a SIGPIPE that another thread gets in the moment before the exec'],
  ['message.cc', 'CMSG_FIRSTHDR', "the macro's own check, of room that is always there"],
  ['socket.cc', '!S_ISSOCK', 'for a file that takes the place of the socket between two calls'],
  ['socket.cc', '-ENOENT', 'for a file that somebody removes between two calls'],
];

function llvm(tool, ...parameters) {
  return execFileSync(`llvm-${tool}-${release}`, parameters, { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 });
}

/** Compiles the addon with `flags`, runs the suite over it, and adds what was reached. */
function measure(coverage, name, flags) {
  const folder = buildVariant(`coverage-${name}`, {
    flags: `-fprofile-instr-generate -fcoverage-mapping ${flags}`,
    linkFlags: '-fprofile-instr-generate',
    env: { CC: `clang-${release}`, CXX: `clang++-${release}`, JOBS: 'max' },
    isVariant: (addon) => addon.includes('__llvm_profile') && addon.includes('accept4') === (flags === ''),
  });
  const profiles = join(folder, 'profiles');
  mkdirSync(profiles);
  execFileSync('npm', ['run', '--silent', 'test:native'], {
    cwd: root,
    stdio: 'inherit',
    // Each process writes its own when it ends. One that is killed writes none, nor does one that executes another
    // program: what they alone reach is not counted.
    env: { ...variantEnvironment(folder), LLVM_PROFILE_FILE: join(profiles, '%p-%m.profraw') },
  });
  const profile = join(folder, 'merged.profdata');
  llvm('profdata', 'merge', '-sparse', '-o', profile, ...readdirSync(profiles).map((file) => join(profiles, file)));
  const addon = join(folder, 'build', 'Release', 'fd_handoff.node');
  const exported = (format) => llvm('cov', 'export', `-format=${format}`, `-instr-profile=${profile}`, addon);
  coverage.add(join(folder, 'native'), { text: exported('text'), lcov: exported('lcov') });
}

const perCent = ({ reached, total }) => (total === 0 ? 100 : (100 * reached) / total);

function row({ file, ...measures }) {
  const cells = kinds.map((kind) => {
    const { reached, total } = measures[kind];
    return `${`${reached}/${total}`.padStart(9)} ${perCent(measures[kind]).toFixed(1).padStart(5)} %`;
  });
  return [file.padEnd(16), ...cells].join('  ');
}

const coverage = new SourceCoverage();
measure(coverage, 'linux', '');
measure(coverage, 'fallback', '-DFD_HANDOFF_FORCE_FALLBACK');

const summary = coverage.summary();
const sum = (kind, figure) => summary.reduce((total, file) => total + file[kind][figure], 0);
const whole = {
  file: 'native/',
  ...Object.fromEntries(kinds.map((kind) => [kind, { total: sum(kind, 'total'), reached: sum(kind, 'reached') }])),
};
console.log(['file'.padEnd(16), ...kinds.map((kind) => kind.padStart(17))].join('  '));
for (const line of [...summary, whole]) console.log(row(line));

console.log('\nnot reached:');
for (const { file, line, what } of coverage.missed()) {
  const text = readFileSync(join(root, 'native', file), 'utf8').split('\n')[line - 1];
  const reason = unreachable.find(([name, part]) => name === file && text.includes(part))?.[2];
  console.log(
    `native/${file}:${line} (${[...what].join(', ')})  ${text.trim()}${reason === undefined ? '' : `\n    ${reason}`}`,
  );
}
for (const kind of ['lines', 'branches']) {
  if (perCent(whole[kind]) >= threshold) continue;
  console.error(`coverage: ${perCent(whole[kind]).toFixed(1)} % of the ${kind} of native/, less than ${threshold} %`);
  process.exitCode = 1;
}
