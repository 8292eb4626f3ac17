// What has to hold for a prebuilt addon, read from the file itself by LLVM's tools, which know both formats.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { signatureProblems } from './code-signature.mjs';

const require = createRequire(import.meta.url);

const largest = 200_000;
const newestGlibc = [2, 17];
const entryPoints = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];
const libraries = {
  glibc: /^(libc\.so\.6|libpthread\.so\.0|libdl\.so\.2|ld-linux-x86-64\.so\.2|ld-linux-aarch64\.so\.1)$/,
  musl: /^libc\.so$/,
};
// The one part of the C++ runtime that a Mach-O file cannot keep to itself. If Node's take their place, nothing changes:
// all of them are malloc and free.
const operatorsNewAndDelete = /^_Z(nw|na|dl|da)/;
const linkersOwn = /^(_mh_dylib_header|__dso_handle|dyld_stub_binder)$/;

/** `{ facts, problems }` of the file `path`, built for `target`; `secrets`: texts that must not be in it. */
export function inspect(path, target, { nodeApiVersion, oldestMacOS, secrets }) {
  const file = readFileSync(path);
  const result = { facts: [], problems: [] };
  if (file.length >= largest) result.problems.push(`${file.length} bytes, ${largest} are too many`);
  for (const secret of secrets) {
    if (file.includes(secret)) result.problems.push(`it has a path of the machine that built it in it (${secret})`);
  }
  const { js_native_api_symbols, node_api_symbols } = require('node-api-headers').symbols[`v${nodeApiVersion}`];
  const nodeApi = new Set([...js_native_api_symbols, ...node_api_symbols]);
  if (target.format === 'elf') inspectElf(path, target, nodeApi, result);
  else inspectMachO(path, file, target, nodeApi, oldestMacOS, result);
  return result;
}

function run(tool, ...parameters) {
  return execFileSync(tool, parameters, { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 });
}

function matches(text, expression) {
  return [...text.matchAll(expression)].map((match) => match[1]);
}

function inspectElf(path, target, nodeApi, { facts, problems }) {
  const libc = target.file.includes('.musl.') ? 'musl' : 'glibc';
  const headers = run('llvm-readelf', '--file-header', '--program-headers', '--sections', '--dynamic', '--wide', path);
  if (!new RegExp(`Machine:.*${target.machine}`).test(headers)) problems.push(`it is not for ${target.machine}`);

  const needed = matches(headers, /\(NEEDED\).*\[(.*)\]/g);
  for (const library of needed) if (!libraries[libc].test(library)) problems.push(`it needs ${library}`);
  facts.push(`needs ${needed.join(', ')}`);

  if (/\((RPATH|RUNPATH)\)/.test(headers)) problems.push('it has a search path for libraries');
  if (!/BIND_NOW/.test(headers) || !/GNU_RELRO/.test(headers)) problems.push('its relocations stay writable');
  if (!/GNU_STACK\s.*\sRW\s/.test(headers)) problems.push('it asks for an executable stack');
  if (/\s\.(symtab|debug_\w+|note\.gnu\.build-id)\s/.test(headers)) problems.push('it is not stripped');

  const symbols = run('llvm-nm', '--dynamic', path);
  const imported = matches(symbols, / [Uvw] (\S+)$/gm);
  const versions = new Set();
  for (const symbol of imported) {
    const [name, version] = symbol.split(/@+/);
    if (nodeApi.has(name)) continue;
    if (/^(napi|node_api)_/.test(name)) problems.push(`${name} is not in its version of Node-API`);
    else if (libc === 'glibc' && version === undefined)
      problems.push(`${name} is nobody's: not glibc's, not Node-API's`);
    else if (libc === 'glibc') versions.add(version);
  }
  const numbers = [...versions].map((version) => version.replace('GLIBC_', '').split('.').map(Number));
  const [newest] = numbers.sort((a, b) => b[0] - a[0] || b[1] - a[1]);
  if (newest !== undefined) {
    facts.push(`glibc ${newest[0]}.${newest[1]}`);
    if (newest[0] !== newestGlibc[0] || newest[1] > newestGlibc[1]) problems.push(`it needs glibc ${newest.join('.')}`);
  }

  const exported = matches(symbols, / [^Uvw] (\w+)\S*$/gm);
  if (exported.sort().join() !== entryPoints.join()) problems.push(`it exports ${exported.join(', ')}`);
}

function inspectMachO(path, file, target, nodeApi, oldestMacOS, { facts, problems }) {
  const commands = run('llvm-objdump', '--macho', '--private-headers', path);
  if (!new RegExp(`MH_MAGIC_64\\s+${target.machine}\\s`).test(commands))
    problems.push(`it is not for ${target.machine}`);
  if (!/MH_MAGIC_64.*\b(DYLIB|BUNDLE)\b.*\bTWOLEVEL\b/.test(commands)) problems.push('it is no two-level library');

  const loaded = matches(commands, /cmd LC_LOAD(?:_WEAK)?_DYLIB\n.*\n\s*name (\S+)/g);
  if (loaded.join() !== '/usr/lib/libSystem.B.dylib') problems.push(`it needs ${loaded.join(', ')}`);
  facts.push(`needs ${loaded.join(', ')}`);
  const [name] = matches(commands, /cmd LC_ID_DYLIB\n.*\n\s*name (\S+)/g);
  if (name?.includes('/')) problems.push(`it calls itself ${name}`);
  if (/cmd LC_RPATH/.test(commands)) problems.push('it has a search path for libraries');
  const [oldest] = matches(commands, /platform macos\n\s*sdk .*\n\s*minos (\S+)/g);
  if (oldest !== oldestMacOS) problems.push(`it wants macOS ${oldest}, not ${oldestMacOS}`);
  facts.push(`macOS ${oldest}`);

  // "(from libSystem)" is what the linker found there; Node-API is looked up when the addon is loaded.
  for (const line of run('llvm-nm', '-m', '--undefined-only', path).trim().split('\n')) {
    const [, symbol, from] = /external _?(\S+)(?: \(from (\S+)\))?/.exec(line) ?? [];
    if (symbol === undefined || linkersOwn.test(symbol)) continue;
    if (from === undefined ? !nodeApi.has(symbol) : from !== 'libSystem') problems.push(`${symbol} is nobody's`);
  }
  const exported = matches(run('llvm-nm', '-m', '--defined-only', '--extern-only', path), / _(\S+)$/gm);
  const own = exported.filter((symbol) => !operatorsNewAndDelete.test(symbol) && !linkersOwn.test(symbol));
  if (own.sort().join() !== entryPoints.join()) problems.push(`it exports ${own.join(', ')}`);
  if (/sectname __debug_/.test(commands) || /SO\b/.test(run('llvm-nm', '--debug-syms', '--format=darwin', path))) {
    problems.push('it is not stripped');
  }

  const [offset] = matches(commands, /cmd LC_CODE_SIGNATURE\n.*\n\s*dataoff (\d+)/g);
  if (offset !== undefined) {
    const wrong = signatureProblems(file, Number(offset));
    problems.push(...wrong);
    if (wrong.length === 0) facts.push('signed ad hoc');
  } else if (target.machine === 'ARM64') {
    problems.push('it is not signed, and an arm64 Mac loads nothing unsigned');
  }
}
