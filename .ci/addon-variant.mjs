// An addon compiled otherwise than the one that is used, and the low-level suite over it.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

function npm(parameters, options) {
  execFileSync('npm', parameters, { stdio: 'inherit', ...options });
}

/**
 * Compiles the addon with `flags` and `env` beside the usual ones, apart from build/, which belongs to the addon that is
 * used. Returns its folder. A suite that passes because it loaded the ordinary addon would show nothing: `isVariant`
 * looks into the bytes.
 */
export function buildVariant(name, { flags, linkFlags = '', env = {}, isVariant }) {
  const folder = join(root, 'node_modules', '.cache', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of ['binding.gyp', 'package.json']) copyFileSync(join(root, file), join(folder, file));
  for (const source of ['native', 'node_modules']) symlinkSync(join(root, source), join(folder, source));
  npm(['run', '--silent', 'build:native'], {
    cwd: folder,
    env: {
      ...process.env,
      ...env,
      CXXFLAGS: `${process.env.CXXFLAGS ?? ''} ${flags}`,
      LDFLAGS: `${process.env.LDFLAGS ?? ''} ${linkFlags}`,
    },
  });
  if (!isVariant(readFileSync(join(folder, 'build', 'Release', 'fd_handoff.node')))) {
    throw new Error(`the addon in ${folder} was not compiled with ${flags}`);
  }
  return folder;
}

/** node-gyp-build takes this variable's folder instead of the package's. */
export function variantEnvironment(folder) {
  return { ...process.env, FD_HANDOFF_PREBUILD: folder };
}
