import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, mergeConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const lib = join(root, 'lib/');
const dist = join(root, 'dist/');

/** Tests import lib/; what runs is dist/, as in every process that they start. */
const compiled = {
  name: 'compiled',
  enforce: 'pre',
  async resolveId(id, importer, options) {
    const resolved = await this.resolve(id, importer, { ...options, skipSelf: true });
    if (!resolved?.id.startsWith(lib)) return null;
    return { id: resolved.id.replace(lib, dist).replace(/\.ts$/, '.js'), external: true };
  },
};

export default mergeConfig(
  base,
  defineConfig({
    root,
    plugins: [compiled],
    test: {
      setupFiles: [fileURLToPath(new URL('written-at-the-end.mjs', import.meta.url))],
      typecheck: { enabled: false },
      server: { deps: { external: [/\/dist\//] } },
    },
  }),
);
