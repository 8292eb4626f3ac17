import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { TestContext } from 'vitest';
import { root } from './packed.ts';
import { peerFile } from './peer-packages.ts';

/** What is bundled: `input` in the folder of a project, into the file `server.mjs` or `server.cjs` in another. */
export interface Bundling {
  readonly project: string;
  readonly input: string;
  readonly output: string;
  readonly format: 'esm' | 'cjs';
  readonly external: boolean;
}

/** Each as a module that has the bundling as `given`, the names that are `external`, and `load()` for what npm has of it. */
const drivers = {
  esbuild: `
    const { build } = await load('esbuild');
    const outfile = join(given.output, 'server.' + extension);
    await build({ absWorkingDir: given.project, entryPoints: [input], outfile, bundle: true, platform: 'node', format: given.format, external });
  `,
  webpack: `await new Promise(${webpackLike('webpack')});`,
  Rspack: `await new Promise(${webpackLike('@rspack/core')});`,
  rollup: `
    const { rollup } = await load('rollup');
    const plugins = await Promise.all(['@rollup/plugin-node-resolve', '@rollup/plugin-commonjs'].map(async (name) => (await load(name)).default()));
    const bundle = await rollup({ input, plugins, external: [/^node:/, ...external] });
    await bundle.write({ dir: given.output, format: given.format, entryFileNames: 'server.' + extension, inlineDynamicImports: true });
  `,
  'Vite (SSR)': `
    const { build } = await load('vite');
    const rollupOptions = { output: { format: given.format, entryFileNames: 'server.' + extension } };
    await build({ root: given.project, configFile: false, logLevel: 'error', ssr: given.external ? { external } : { noExternal: true }, build: { ssr: input, outDir: given.output, emptyOutDir: false, rollupOptions } });
  `,
  ncc: `
    const { default: ncc } = await load('@vercel/ncc');
    const { code } = await ncc(input, { quiet: true, externals: external });
    writeFileSync(join(given.output, 'server.' + extension), code);
  `,
};

/** The two have the same options. */
function webpackLike(name: string): string {
  return `async (resolve, reject) => {
    const { default: bundler } = await load('${name}');
    const run = bundler.webpack ?? bundler.rspack ?? bundler;
    const externals = external.map((name) => ({ [name]: 'commonjs ' + name }));
    run({ context: given.project, mode: 'production', optimization: { minimize: false }, target: 'node', entry: input, output: { path: given.output, filename: 'server.' + extension }, externals }, (error, stats) => {
      if (error ?? stats.hasErrors()) reject(error ?? new Error(stats.toString()));
      else if (stats.hasWarnings()) reject(new Error(stats.toString()));
      else resolve();
    });
  }`;
}

export type BundlerName = keyof typeof drivers;

/** Where a bundler is that is one of the project's own packages, or of those that are fetched. */
function places(context: TestContext, name: BundlerName): Record<string, string> {
  if (name === 'esbuild') return { esbuild: join(root, 'node_modules/esbuild/lib/main.js') };
  const packages = {
    webpack: ['webpack'],
    Rspack: ['@rspack/core'],
    rollup: ['rollup', '@rollup/plugin-node-resolve', '@rollup/plugin-commonjs'],
    'Vite (SSR)': ['vite'],
    ncc: ['@vercel/ncc'],
  }[name];
  return Object.fromEntries(packages.map((specifier) => [specifier, peerFile(context, specifier)]));
}

/** Makes a bundle in a process of its own, because some of them leave a service behind; returns its path. */
export function makeBundle(context: TestContext, name: BundlerName, bundling: Bundling): string {
  const extension = bundling.format === 'esm' ? 'mjs' : 'cjs';
  const urls = Object.entries(places(context, name)).map(([specifier, file]) => [specifier, pathToFileURL(file).href]);
  const source = `
    import { writeFileSync } from 'node:fs';
    import { join } from 'node:path';
    const given = ${JSON.stringify(bundling)};
    const extension = '${extension}';
    const input = join(given.project, given.input);
    const external = given.external ? ['fd-handoff', 'fd-handoff/fd'] : [];
    const places = ${JSON.stringify(Object.fromEntries(urls))};
    const load = (name) => import(places[name]);
    ${drivers[name]}
    process.exit(0);
  `;
  execFileSync(process.execPath, ['--input-type=module', '--eval', source], { cwd: bundling.project, stdio: 'pipe' });
  return join(bundling.output, `server.${extension}`);
}
