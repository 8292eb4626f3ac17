import { execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../support/packed.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';

/** Says how many descriptors a pipe has, or why it has none. */
const program = `
  import { pipe } from 'fd-handoff/fd';
  try { console.log(pipe().length); } catch ({ code, message }) { console.log(code, message); }
`;

// By its command, which is over when it has written: the service of its module lives on in this process.
const esbuild = join(root, 'node_modules', 'esbuild', 'bin', 'esbuild');

test.each([
  ['esm', 'server.mjs'],
  ['cjs', 'server.cjs'],
])('a bundle as %s works with prebuilds beside it, and says what to do without', (format, name) => {
  using folder = new TemporaryFolder();
  const options = ['--bundle', '--platform=node', `--format=${format}`, `--outfile=${folder.file(name)}`];
  execFileSync(esbuild, [...options, '--log-level=error'], { cwd: root, input: program });
  const run = () => execFileSync(process.execPath, [folder.file(name)], { encoding: 'utf8' });
  const said = run();
  expect(said).toMatch(/^ERR_HANDOFF_UNSUPPORTED_PLATFORM /);
  expect(said).toContain('fd-handoff is external');
  cpSync(join(root, 'prebuilds'), folder.file('prebuilds'), { recursive: true });
  expect(run().trim()).toBe('2');
});
