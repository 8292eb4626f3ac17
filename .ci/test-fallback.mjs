// The low-level suite over an addon that was compiled as for macOS where that is possible on Linux: descriptors get
// their flags by fcntl after they were made, instead of in the call that makes them (native/platform.h).
import { execFileSync } from 'node:child_process';
import { buildVariant, root, variantEnvironment } from './addon-variant.mjs';

const folder = buildVariant('fallback', {
  flags: '-DFD_HANDOFF_FORCE_FALLBACK',
  isVariant: (addon) => !addon.includes('accept4'),
});
execFileSync('npm', ['run', '--silent', 'test:native'], {
  cwd: root,
  stdio: 'inherit',
  env: variantEnvironment(folder),
});
