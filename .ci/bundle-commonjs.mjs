// Compiles lib/ a second time, for whoever cannot `require()` an ES module: Jest, and resolvers from before `exports`. Node
// itself takes the ES modules for `require()` and `import` alike ("module-sync" in package.json), so that there is one of
// every class in a process.
//
// All of the library is one file, and the file of an entry only points into it: the entries share their classes, too.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
// lib/fd/native.ts looks for the addon two folders above the file that it is in.
const folder = join(root, 'dist', 'cjs');

const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** The entries, by the names of their files. */
const entries = Object.values(exports)
  .filter(({ require }) => require !== undefined)
  .map(({ require, default: module }) => ({
    name: basename(require.default, '.cjs'),
    source: module.replace('./dist/', './lib/').replace(/\.js$/, '.ts'),
    declarations: join(root, module.replace(/\.js$/, '.d.ts')),
  }));

await build({
  absWorkingDir: root,
  stdin: {
    contents: entries.map(({ name, source }) => `export * as ${name} from '${source}';`).join('\n'),
    resolveDir: root,
  },
  outfile: join(folder, 'library.cjs'),
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  // It is there beside the ES modules, which are what one reads and steps through: a quarter is saved. Names stay in errors.
  minify: true,
  keepNames: true,
  legalComments: 'none',
  // lib/fd/native.ts takes `__filename` where there is none.
  define: { 'import.meta.url': 'undefined' },
});

const program = ts.createProgram({
  rootNames: entries.map(({ declarations }) => declarations),
  options: { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022, types: ['node'] },
});
const checker = program.getTypeChecker();

/** What an entry exports that is there when it runs, and whether its name is a type besides. */
function valuesOf(declarations) {
  const module = checker.getSymbolAtLocation(program.getSourceFile(declarations));
  return checker.getExportsOfModule(module).flatMap((exported) => {
    if (exported.declarations.some((declaration) => ts.isTypeOnlyImportOrExportDeclaration(declaration))) return [];
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    if (!(symbol.flags & ts.SymbolFlags.Value)) return [];
    const isType = Boolean(symbol.flags & ts.SymbolFlags.Type);
    if (isType && checker.getDeclaredTypeOfSymbol(symbol).typeParameters) {
      throw new Error(`${exported.name} has type parameters, which dist/cjs/*.d.cts would have to repeat`);
    }
    return [{ name: exported.name, isType }];
  });
}

/**
 * The types of an entry, for `require()`: those of the ES module, which TypeScript lets a CommonJS file name only as types.
 * A name that is declared here hides the one of `export type *`, and so a class is declared as both.
 */
function declarationsOf({ declarations }) {
  const module = relative(folder, declarations).replace(/\.d\.ts$/, '.js');
  const from = `from '${module}' with { 'resolution-mode': 'import' };`;
  const lines = [`import type * as module ${from}`, `export type * ${from}`];
  for (const { name, isType } of valuesOf(declarations)) {
    lines.push(`export declare const ${name}: typeof module.${name};`);
    if (isType) lines.push(`export type ${name} = module.${name};`);
  }
  return `${lines.join('\n')}\n`;
}

mkdirSync(folder, { recursive: true });
for (const entry of entries) {
  const { name } = entry;
  writeFileSync(join(folder, `${name}.cjs`), `'use strict';\nmodule.exports = require('./library.cjs').${name};\n`);
  writeFileSync(join(folder, `${name}.d.cts`), declarationsOf(entry));
}
