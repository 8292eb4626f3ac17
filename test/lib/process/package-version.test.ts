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
  const compiled = (file: string) =>
    ts.transpileModule(readFileSync(join(root, 'lib', file), 'utf8'), { compilerOptions }).outputText;
  writeFileSync(folder.file('own-file.mjs'), compiled('fd/own-file.ts'));
  const bundle = folder.file('bundle.mjs');
  writeFileSync(bundle, compiled('process/package-version.ts').replace('../fd/own-file.ts', './own-file.mjs'));
  const alone = await import(/* @vite-ignore */ pathToFileURL(bundle).href);
  expect(alone.packageVersion()).toBe('unknown');
});
