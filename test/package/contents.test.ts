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

test('the package holds what contents.txt lists, declarations, and no more', () => {
  const listed = readFileSync(new URL('contents.txt', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  const packed = pack().files.map(({ path }) => path);
  // What the entries share is in files named after their content.
  const shared = /^dist\/shared\/[0-9A-Z]{8}\.js$/;
  expect(packed.filter((path) => !shared.test(path) && !path.endsWith('.d.ts')).sort()).toEqual([...listed].sort());
});

test('of the declarations it holds those that somebody can reach from an entry, and all of them', () => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, { types?: string }>;
  };
  const wanted = new Set(Object.values(exports).flatMap(({ types }) => (types === undefined ? [] : [join(types)])));
  // A set goes through what is added to it meanwhile.
  for (const file of wanted) {
    const text = readFileSync(join(root, file), 'utf8');
    for (const [, path] of text.matchAll(/\b(?:from |import\()["'](\.[^"']+)\.ts["']/g)) {
      wanted.add(join(dirname(file), `${path}.d.ts`));
    }
  }
  const packed = pack().files.map(({ path }) => path);
  expect(packed.filter((path) => path.endsWith('.d.ts')).sort()).toEqual([...wanted].sort());
  // Of a hundred of lib/'s own it is spared.
  expect(wanted.size).toBeLessThan(filesBelow(join(root, 'lib')).filter((name) => name.endsWith('.ts')).length / 2);
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

/** Files, by conditions that may be within conditions. */
interface Targets {
  readonly [condition: string]: string | Targets;
}

function targetsOf(targets: Targets): string[] {
  return Object.values(targets).flatMap((target) => (typeof target === 'string' ? target : targetsOf(target)));
}

test('everything that package.json points to is in the package', () => {
  const packed = new Set(pack().files.map(({ path }) => `./${path}`));
  const { bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
    exports: Targets;
  };
  const targets = targetsOf(exports);
  targets.push(...Object.values(bin).map((path) => `./${path}`));
  expect(targets.filter((target) => !packed.has(target))).toEqual([]);
});

test('with all six addons and its one dependency, less than 1.95 MB are installed', () => {
  const packed = pack();
  expect(packed.files.filter(({ path }) => path.endsWith('.node'))).toHaveLength(6);
  const dependency = join(root, 'node_modules', 'node-gyp-build');
  const size = filesBelow(dependency).reduce(
    (sum, name) => sum + statSync(join(dependency, name)).size,
    packed.unpackedSize,
  );
  expect(size).toBeLessThan(1_950_000);
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
