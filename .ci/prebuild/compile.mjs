// One addon from the sources, for any target. prebuildify does not do: through node-gyp it takes flags and headers from
// the Node that happens to run it, on which its result then depends, and for macOS it does not link on Linux. The flags
// are binding.gyp's, so that there is one place for them.
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';

const require = createRequire(import.meta.url);

/** What binding.gyp says of the addon, as far as it is needed here. */
export function addonDefinition(root) {
  const [target] = JSON.parse(readFileSync(join(root, 'binding.gyp'), 'utf8')).targets;
  return {
    name: target.target_name,
    defines: target.defines,
    flags: [...target.cflags, ...target.cflags_cc],
    oldestMacOS: target.xcode_settings.MACOSX_DEPLOYMENT_TARGET,
    nodeApiVersion: Number(target.defines.find((define) => define.startsWith('NAPI_VERSION=')).split('=')[1]),
  };
}

function linkFlags(target) {
  if (target.format === 'elf') return ['-Wl,--gc-sections', '-Wl,--version-script=.ci/prebuild/exports.map'];
  // Node-API is the process's that loads the addon. The name is given because the linker would write the output's
  // path, which differs from build to build.
  return ['-Wl,-undefined,dynamic_lookup', '-Wl,-dead_strip', `-Wl,-install_name,${target.file.split('/').at(-1)}`];
}

/** Compiles for `target` into the file `output`; `runtime` keeps Zig's C++ runtime, `compiled` what is made of the sources. */
export async function compile({ root, zig, runtime, compiled, target, output }) {
  const definition = addonDefinition(root);
  const nodeApi = require('node-api-headers').include_dir;
  const nodeAddonApi = dirname(require.resolve('node-addon-api/package.json'));
  const sources = readdirSync(join(root, 'native'))
    .filter((name) => name.endsWith('.cc'))
    .sort()
    .map((name) => `native/${name}`);
  const parameters = [
    ...['c++', '-target', target.triple, '-mcpu=baseline', '-shared', '-fPIC'],
    ...['-Os', '-g0', '-s', '-DNDEBUG', '-ffunction-sections', '-fdata-sections'],
    ...definition.flags,
    // Apple's headers say of some pointers whether they may be null, and not of others.
    ...(target.format === 'mach-o' ? ['-Wno-nullability-completeness'] : []),
    // What node-gyp defines for every addon.
    ...[`-DNODE_GYP_MODULE_NAME=${definition.name}`, '-DBUILDING_NODE_EXTENSION'],
    ...definition.defines.map((define) => `-D${define}`),
    ...[nodeApi, nodeAddonApi].flatMap((folder) => ['-isystem', relative(root, folder)]),
    ...sources,
    '.ci/prebuild/no-demangler.cc',
    ...linkFlags(target),
    ...['-o', output],
  ];
  mkdirSync(dirname(output), { recursive: true });
  // Paths are relative to the root, so that none of this machine gets into the file.
  const options = {
    cwd: root,
    maxBuffer: 256 * 1024 * 1024,
    env: { ...process.env, ZIG_GLOBAL_CACHE_DIR: runtime, ZIG_LOCAL_CACHE_DIR: compiled },
  };
  try {
    await promisify(execFile)(zig, parameters, options);
  } catch (error) {
    // Zig also shows thousands of warnings about its own C++ runtime, the first time it compiles that.
    const lines = String(error.stderr ?? error).split('\n');
    const own = lines.filter((line) => /(^|[^-])error\b|native\/|no-demangler/.test(line) && !/lib\/libcxx/.test(line));
    throw new Error(`${target.file} does not compile:\n${(own.length > 0 ? own : lines).slice(0, 60).join('\n')}`);
  }
}
