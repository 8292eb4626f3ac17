import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ownFile } from '../../lib/fd/own-file.ts';
import { root, temporaryFolder } from './support.ts';

// By its command, which is over when it has written: the service of its module lives on in this process.
const esbuild = join(root, 'node_modules', 'esbuild', 'bin', 'esbuild');

/** What it says in a bundle of CommonJS that a bundler has given these values. */
function saidInBundle(t: TestContext, define: Record<string, string>): { bundle: string; said: string } {
  const bundle = join(temporaryFolder(t), 'bundle.cjs');
  const definitions = Object.entries(define).map(([name, value]) => `--define:${name}=${value}`);
  const options = ['--bundle', '--platform=node', '--format=cjs', '--log-level=error', `--outfile=${bundle}`];
  const input = `import { ownFile } from './lib/fd/own-file.ts'; console.log(ownFile());`;
  execFileSync(esbuild, [...options, ...definitions], { cwd: root, input });
  return { bundle, said: execFileSync(process.execPath, [bundle], { encoding: 'utf8' }).trim() };
}

test('as a module it is the file of lib/', () => {
  assert.equal(ownFile(), join(root, 'lib', 'fd', 'own-file.ts'));
});

test('in a bundle it is the bundle, be the place of the source known or not', (t) => {
  const elsewhere = JSON.stringify('file:///build/node_modules/fd-handoff/dist/shared/source.js');
  for (const url of ['undefined', elsewhere]) {
    const { bundle, said } = saidInBundle(t, { 'import.meta.url': url });
    assert.equal(said, bundle);
  }
});

test('where the bundler has put another path in place of __filename it is the program that was started', (t) => {
  for (const path of ['/index.js', 'node_modules/fd-handoff/dist/shared/source.js']) {
    const { bundle, said } = saidInBundle(t, { 'import.meta.url': 'undefined', __filename: JSON.stringify(path) });
    assert.equal(said, bundle);
  }
});

test('a source that is still on this machine is not taken for the bundle', (t) => {
  const source = JSON.stringify(new URL('../../lib/fd/own-file.ts', import.meta.url).href);
  const { bundle, said } = saidInBundle(t, { 'import.meta.url': source });
  assert.equal(said, bundle);
});
