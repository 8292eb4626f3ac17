import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';
import { root } from '../support/packed.ts';
import type { Block } from '../support/page.ts';

/** Kubernetes' own types, by the `apiVersion` and the `kind` of a manifest. */
const modules: Readonly<Record<string, string>> = { 'apps/v1': 'apps/v1', v1: 'core/v1' };

/** Has the compiler compare a manifest with the type of its kind, so that a field that there is not is found. */
export function checkManifest({ text }: Block): string {
  for (const document of parseAllDocuments(text)) {
    if (document.errors.length > 0) throw document.errors[0];
    const manifest = document.toJS() as { apiVersion: string; kind: string };
    const module = modules[manifest.apiVersion];
    if (module === undefined) throw new Error(`no types are known for ${manifest.apiVersion}: see manifest.ts`);
    const source = `import type { ${manifest.kind} } from 'kubernetes-types/${module}.d.ts';
      export const manifest: ${manifest.kind} = ${JSON.stringify(manifest)};`;
    const complaints = compile(source);
    if (complaints.length > 0) throw new Error(complaints.join('\n'));
  }
  return 'manifests checked by the types of the Kubernetes API';
}

function compile(source: string): string[] {
  const name = join(root, 'test', 'docs', 'manifest-of-a-page.ts');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    types: [],
    module: ts.ModuleKind.NodeNext,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (file, version) =>
    file === name ? ts.createSourceFile(file, source, version) : read(file, version);
  host.fileExists = (file) => file === name || ts.sys.fileExists(file);
  host.readFile = (file) => (file === name ? source : readFileSync(file, 'utf8'));
  const program = ts.createProgram([name], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}
