import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { Installation } from '../support/installation.ts';
import { root } from '../support/packed.ts';
import { peerPackages } from '../support/peer-packages.ts';

// What a TypeScript project says about itself decides which of the package's declaration files it reads, and whether it may.

/** Uses every entry: a function, a class as a value, as a type and as a base, a type alone, and a mistake that must be seen. */
const program = `
  import http from 'node:http';
  import { Handoff, HandoffError, handoff, type HandoffOptions, OwnedFd } from 'fd-handoff';
  import { Control, Deadline, type Frame } from 'fd-handoff/channel';
  import { type Description, describe, HandoffError as SameError, OwnedFd as SameDescriptor } from 'fd-handoff/fd';
  import { Haproxy, takeFromHaproxy } from 'fd-handoff/haproxy';
  import { NotifySocket, type PassedDescriptor } from 'fd-handoff/systemd';

  export class OwnError extends HandoffError {}
  export const options: HandoffOptions = { control: './app.sock' };

  export async function serve(): Promise<Handoff> {
    const app = await handoff(options);
    await app.listen(http.createServer(), { port: 0 });
    await app.ready();
    return app;
  }

  export const isHandoff = (value: unknown): value is Handoff => value instanceof Handoff;
  export const isOurs = (error: unknown): error is SameError => error instanceof HandoffError;
  export const same: SameDescriptor = new OwnedFd(1);
  export const description: Description = describe(1);
  export const taken: Promise<Haproxy | null> = takeFromHaproxy('./haproxy.sock');
  export const classes = [Control, Deadline, Haproxy, NotifySocket];
  export const nothing: [Frame[], PassedDescriptor[]] = [[], []];

  // @ts-expect-error A control path is a string: it would be no mistake if the types had not been found.
  handoff({ control: 1 });
`;

/** CommonJS as TypeScript alone writes it. */
const requiring = `
  import library = require('fd-handoff');
  import descriptors = require('fd-handoff/fd');
  export const error: library.HandoffError | null = null;
  export const isOne = descriptors.HandoffError === library.HandoffError;
`;

const projects = [
  ['5.9', 'CommonJS', 'Node10'],
  ['5.9', 'Node16', 'Node16'],
  ['5.9', 'Node18', 'Node16'],
  ['5.9', 'Node20', 'Node16'],
  ['5.9', 'NodeNext', 'NodeNext'],
  ['5.9', 'ESNext', 'Bundler'],
  ['5.9', 'Preserve', 'Bundler'],
  ['6.0', 'CommonJS', 'Bundler'],
  ['6.0', 'Node16', 'Node16'],
  ['6.0', 'Node18', 'Node16'],
  ['6.0', 'Node20', 'Node16'],
  ['6.0', 'NodeNext', 'NodeNext'],
  ['6.0', 'ESNext', 'Bundler'],
  ['6.0', 'Preserve', 'Bundler'],
] as const;

type TypeScript = typeof import('typescript');

function typeScript(context: TestContext, version: string): TypeScript {
  const require = createRequire(join(peerPackages(context), 'package.json'));
  const compiler = require(version === '5.9' ? 'typescript-5' : 'typescript') as TypeScript;
  expect(compiler.versionMajorMinor).toBe(version);
  return compiler;
}

test.for(projects.flatMap((project) => [[...project, 'commonjs'] as const, [...project, 'module'] as const]))(
  'TypeScript %s, module %s, moduleResolution %s, a package of type %s: every entry has its types',
  {
    // The first one fetches the compilers.
    timeout: 300_000,
  },
  ([version, module, moduleResolution, type], context) => {
    const ts = typeScript(context, version);
    using project = new Installation();
    writeFileSync(project.file('package.json'), JSON.stringify({ private: true, type }));
    mkdirSync(project.file('node_modules/@types'));
    for (const name of ['@types/node', 'undici-types']) {
      symlinkSync(join(root, 'node_modules', name), project.file(`node_modules/${name}`));
    }
    const sources = [project.file('program.ts')];
    writeFileSync(project.file('program.ts'), program);
    // An ES module has no `import … = require()`, except where it becomes one by other means.
    if (type === 'commonjs' && module !== 'ESNext') {
      sources.push(project.file('requiring.ts'));
      writeFileSync(project.file('requiring.ts'), requiring);
    }
    const compiled = ts.createProgram(sources, {
      module: ts.ModuleKind[module],
      moduleResolution: ts.ModuleResolutionKind[moduleResolution],
      target: ts.ScriptTarget.ES2022,
      types: ['node'],
      typeRoots: [project.file('node_modules/@types')],
      strict: true,
      esModuleInterop: true,
      noEmit: true,
    });
    const ours = compiled
      .getSourceFiles()
      .filter(({ fileName }) => sources.includes(fileName) || fileName.includes('/fd-handoff/'));
    expect(ours.length).toBeGreaterThan(sources.length);
    const found = ours.flatMap((file) => [
      ...compiled.getSyntacticDiagnostics(file),
      ...compiled.getSemanticDiagnostics(file),
    ]);
    const said = [...compiled.getOptionsDiagnostics(), ...found].map(({ file, code, messageText }) => {
      return `${file?.fileName}: TS${code} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
    expect(said).toEqual([]);
  },
);
