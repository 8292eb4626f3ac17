import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { Project } from '../support/documented-program.ts';
import { root } from '../support/packed.ts';
import type { Block } from '../support/page.ts';
import { Scene } from '../support/scene.ts';

/** Where Kubernetes' own types are, by the `apiVersion` of a manifest. */
const modules: Readonly<Record<string, string>> = { 'apps/v1': 'apps/v1', v1: 'core/v1' };

/** Has the compiler compare a manifest with the type of its kind, so that a field that there is not is found. */
export async function checkManifest({ text }: Block): Promise<string> {
  await using scene = new Scene();
  const project = new Project(scene);
  project.install('kubernetes-types');
  const sources = parseAllDocuments(text).map((document, number) => {
    if (document.errors.length > 0) throw document.errors[0];
    const manifest = document.toJS() as { apiVersion: string; kind: string };
    const module = modules[manifest.apiVersion];
    if (module === undefined) throw new Error(`no types are known for ${manifest.apiVersion}: see manifest.ts`);
    return `import type { ${manifest.kind} } from 'kubernetes-types/${module}.d.ts';
      export const manifest${number}: ${manifest.kind} = ${JSON.stringify(manifest)};`;
  });
  const file = join(scene.folder, 'manifest.ts');
  writeFileSync(file, sources.join('\n'));
  await compile(file);
  return 'manifests checked by the types of the Kubernetes API';
}

/** In a process of its own: a load client beside it would wait for so long that servers give its connections up. */
async function compile(file: string): Promise<void> {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = ['--ignoreConfig', '--strict', '--noEmit', '--skipLibCheck', '--allowImportingTsExtensions'];
  const { stdout } = await promisify(execFile)(process.execPath, [compiler, ...options, '--module', 'nodenext', file], {
    cwd: join(file, '..'),
  }).catch((error) => error as { stdout: string });
  if (stdout !== '') throw new Error(stdout);
}
