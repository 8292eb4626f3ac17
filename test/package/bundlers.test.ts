import { execFileSync } from 'node:child_process';
import { cpSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type BundlerName, makeBundle } from '../support/bundler.ts';
import { Installation } from '../support/installation.ts';
import { root } from '../support/packed.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';

/** Says how many descriptors a pipe has, or why it has none; and whether its entries share one library. */
const programs = {
  'program.mjs': `
    import { HandoffError } from 'fd-handoff';
    import { HandoffError as SameError, pipe } from 'fd-handoff/fd';
    console.log(SameError === HandoffError ? 'one' : 'two');
    try { console.log(pipe().length); } catch ({ code, message }) { console.log(code, message); }
  `,
  'program.cjs': `
    const { HandoffError } = require('fd-handoff');
    const { HandoffError: SameError, pipe } = require('fd-handoff/fd');
    console.log(SameError === HandoffError ? 'one' : 'two');
    try { console.log(pipe().length); } catch ({ code, message }) { console.log(code, message); }
  `,
  'mixed.mjs': `
    import { HandoffError } from 'fd-handoff';
    import { required } from './required.cjs';
    console.log(required.HandoffError === HandoffError ? 'one' : 'two');
  `,
  'required.cjs': `exports.required = require('fd-handoff');`,
};

type Form = readonly [bundler: BundlerName, input: 'program.mjs' | 'program.cjs', format: 'esm' | 'cjs'];

const forms: readonly Form[] = [
  ['esbuild', 'program.mjs', 'esm'],
  ['esbuild', 'program.mjs', 'cjs'],
  ['esbuild', 'program.cjs', 'cjs'],
  ['webpack', 'program.mjs', 'cjs'],
  ['webpack', 'program.cjs', 'cjs'],
  ['Rspack', 'program.mjs', 'cjs'],
  ['Rspack', 'program.cjs', 'cjs'],
  ['rollup', 'program.mjs', 'esm'],
  ['rollup', 'program.mjs', 'cjs'],
  ['Vite (SSR)', 'program.mjs', 'esm'],
  ['ncc', 'program.mjs', 'esm'],
  ['ncc', 'program.cjs', 'cjs'],
];

function writePrograms(project: Installation): void {
  writeFileSync(project.file('package.json'), '{ "private": true }');
  for (const [name, text] of Object.entries(programs)) writeFileSync(project.file(name), text);
}

const run = (file: string) => execFileSync(process.execPath, [file], { encoding: 'utf8' }).trim().split('\n');

// The first one fetches the bundlers.
const timeout = 300_000;

test.for(forms)(
  '%s, from %s to %s: it works with prebuilds beside it, and says what to do without',
  { timeout },
  (form, context) => {
    const [bundler, input, format] = form;
    using project = new Installation();
    using folder = new TemporaryFolder();
    writePrograms(project);
    const output = folder.path;
    const bundle = makeBundle(context, bundler, { project: project.path, input, output, format, external: false });
    // A bundle goes to another machine, where its sources are not.
    renameSync(project.file('node_modules'), project.file('elsewhere'));
    const [one, said] = run(bundle);
    expect(one).toBe('one');
    expect(said).toMatch(/^ERR_HANDOFF_UNSUPPORTED_PLATFORM /);
    expect(said).toContain('fd-handoff is external');
    expect(said).toContain(`looked in ${folder.file('prebuilds')}`);
    cpSync(join(root, 'prebuilds'), folder.file('prebuilds'), { recursive: true });
    expect(run(bundle)).toEqual(['one', '2']);
  },
);

test.for(forms)(
  '%s, from %s to %s: with the library external it works as it is installed',
  { timeout },
  (form, context) => {
    const [bundler, input, format] = form;
    using project = new Installation();
    writePrograms(project);
    const output = project.path;
    const bundle = makeBundle(context, bundler, { project: project.path, input, output, format, external: true });
    expect(run(bundle)).toEqual(['one', '2']);
  },
);

// ncc has conditions of its own, and makes two: docs/bundlers.md says so.
test.for(['esbuild', 'webpack', 'Rspack', 'rollup'] as const)(
  '%s: what is imported here and required there is one library in the bundle',
  { timeout },
  (bundler, context) => {
    using project = new Installation();
    writePrograms(project);
    const output = project.path;
    const bundling = { project: project.path, input: 'mixed.mjs', output, format: 'cjs', external: false } as const;
    expect(run(makeBundle(context, bundler, bundling))).toEqual(['one']);
  },
);
