// The low-level suite over an addon that was compiled as for macOS where that is possible on Linux: descriptors get
// their flags by fcntl after they were made, instead of in the call that makes them (native/platform.h).
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
// Apart from build/, which belongs to the addon that is used.
const folder = join(root, 'node_modules', '.cache', 'fallback');

function npm(parameters, options) {
  execFileSync('npm', parameters, { stdio: 'inherit', ...options });
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const name of ['binding.gyp', 'package.json']) copyFileSync(join(root, name), join(folder, name));
for (const name of ['native', 'node_modules']) symlinkSync(join(root, name), join(folder, name));
const flags = `${process.env.CXXFLAGS ?? ''} -DFD_HANDOFF_FORCE_FALLBACK`;
npm(['run', '--silent', 'build:native'], { cwd: folder, env: { ...process.env, CXXFLAGS: flags } });

// A suite that passes because it loaded the ordinary addon would show nothing.
if (readFileSync(join(folder, 'build', 'Release', 'fd_handoff.node')).includes('accept4')) {
  throw new Error('the addon in node_modules/.cache/fallback calls accept4: it was not compiled with the fallback');
}
// node-gyp-build takes this variable's folder instead of the package's.
npm(['run', '--silent', 'test:native'], { cwd: root, env: { ...process.env, FD_HANDOFF_PREBUILD: folder } });
