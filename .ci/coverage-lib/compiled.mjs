// lib/ compiled to a file for each source, where the package has a few files that hold them all: whatever a process runs
// of it, in a test or as a program of one, is then the same bytes, and what V8 has counted in all of them can be added up.
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const lib = join(root, 'lib');
const dist = join(root, 'dist');

const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const compilerOptions = {
  ...options,
  // A file by itself does not say that its package is one of modules.
  module: ts.ModuleKind.ESNext,
  noEmit: false,
  // Beside dist/, never in it: V8 would copy the maps into what every process writes.
  sourceMap: true,
};

function compiledOf(source) {
  const text = readFileSync(source, 'utf8');
  const { outputText, sourceMapText } = ts.transpileModule(text, { compilerOptions, fileName: source });
  return {
    code: outputText.replace(/\/\/# sourceMappingURL=.*\s*$/, ''),
    sourceMap: { ...JSON.parse(sourceMapText), sources: [source], sourcesContent: [text] },
  };
}

/** By the path of what is compiled: its `code`, and the `sourceMap` from there to the file in lib/. */
export function compileLibrary() {
  const sources = readdirSync(lib, { recursive: true }).filter((name) => name.endsWith('.ts'));
  return new Map(sources.map((name) => [join(dist, name.replace(/\.ts$/, '.js')), compiledOf(join(lib, name))]));
}

/** Puts it where the package's files are. */
export function installCompiled(library) {
  rmSync(dist, { recursive: true, force: true });
  for (const [path, { code }] of library) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, code);
  }
  // Older than every source: where this ends before the package is back, the next `npm test` compiles it.
  utimesSync(join(dist, 'index.js'), 0, 0);
}

/** The address of a compiled file, as V8 knows it. */
export function addressOf(path) {
  return pathToFileURL(path).href;
}
