import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { packageVersion } from '../../../lib/process/package-version.ts';
import { root } from '../../support/packed.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ESNext };

it('is that of package.json', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(packageVersion()).toBe(version);
});

it('is not known where a bundle has left that behind, and nothing fails', async () => {
  using folder = new TemporaryFolder();
  const source = readFileSync(join(root, 'lib/process/package-version.ts'), 'utf8');
  const bundle = folder.file('bundle.mjs');
  writeFileSync(bundle, ts.transpileModule(source, { compilerOptions }).outputText);
  const alone = await import(/* @vite-ignore */ pathToFileURL(bundle).href);
  expect(alone.packageVersion()).toBe('unknown');
});
