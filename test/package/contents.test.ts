import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { pack, root } from '../support/packed.ts';

/** The relative names of all files below `folder`. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
}

test('the package holds the types of lib/, what contents.txt lists, and no more', () => {
  // Of lib/cli one file is made, which contents.txt lists.
  const sources = filesBelow(join(root, 'lib')).filter((name) => name.endsWith('.ts') && !name.startsWith('cli/'));
  const types = sources.map((name) => join('dist', `${name.slice(0, -'.ts'.length)}.d.ts`));
  const listed = readFileSync(new URL('contents.txt', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  const packed = pack().files.map(({ path }) => path);
  // What the entries share is in files named after their content.
  const shared = /^dist\/shared\/[0-9A-Z]{8}\.js$/;
  expect(packed.filter((path) => !shared.test(path)).sort()).toEqual([...types, ...listed].sort());
});

test('a server reads few files: every one of them would cost half a millisecond of its start', () => {
  const read = new Set<string>();
  const follow = (file: string) => {
    if (read.has(file)) return;
    read.add(file);
    for (const [, path] of readFileSync(file, 'utf8').matchAll(/\b(?:from|import) "(\.[^"]+)"/g)) {
      follow(join(dirname(file), path as string));
    }
  };
  follow(join(root, 'dist', 'index.js'));
  expect(read.size).toBeGreaterThan(1);
  expect(read.size).toBeLessThan(15);
});

test('everything that package.json points to is in the package', () => {
  const packed = new Set(pack().files.map(({ path }) => `./${path}`));
  const { bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
    exports: Record<string, string | Record<string, string>>;
  };
  const targets = Object.values(exports).flatMap((entry) => (typeof entry === 'string' ? entry : Object.values(entry)));
  targets.push(...Object.values(bin).map((path) => `./${path}`));
  expect(targets.filter((target) => !packed.has(target))).toEqual([]);
});

test('with all six addons and its one dependency, less than 1.75 MB are installed', () => {
  const packed = pack();
  expect(packed.files.filter(({ path }) => path.endsWith('.node'))).toHaveLength(6);
  const dependency = join(root, 'node_modules', 'node-gyp-build');
  const size = filesBelow(dependency).reduce(
    (sum, name) => sum + statSync(join(dependency, name)).size,
    packed.unpackedSize,
  );
  expect(size).toBeLessThan(1_750_000);
});

test('nothing of it runs when it is installed', () => {
  const { scripts, gypfile } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
    gypfile: boolean;
  };
  // Without gypfile: false npm runs node-gyp for every package with a binding.gyp.
  expect(gypfile).toBe(false);
  expect(existsSync(join(root, 'binding.gyp'))).toBe(true);
  expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
});
