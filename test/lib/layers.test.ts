import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../support/packed.ts';

// The layers of docs/architecture.md, the lowest first. What stands in lib/ itself is the face, above all of them; the
// command is above the face.
const layers = ['fd', 'channel', 'handoff', 'servers', 'process'];
const face = layers.length;
const command = face + 1;

function heightOf(file: string): number {
  const [folder = ''] = file.split(sep);
  if (folder === 'cli') return command;
  return folder.endsWith('.ts') ? face : layers.indexOf(folder);
}

const files = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
);

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, 'lib', file), 'utf8');
  return [...text.matchAll(/\bfrom '(\.[^']+)'|\bimport\('(\.[^']+)'\)/g)].map(([, from, dynamic]) =>
    normalize(join(dirname(file), (from ?? dynamic) as string)),
  );
}

test('every folder of lib/ is a layer', () => {
  expect(files.filter((file) => heightOf(file) < 0)).toEqual([]);
});

test('a layer imports from itself and from those below it', () => {
  const upwards = files.flatMap((file) =>
    importsOf(file)
      .filter((imported) => heightOf(imported) > heightOf(file))
      .map((imported) => `${file} imports ${imported}`),
  );
  expect(upwards).toEqual([]);
});

test('only servers/internals.ts touches what belongs to Node', () => {
  const reaching = files.filter((file) =>
    /[.[]'?_[a-z]+/.test(readFileSync(join(root, 'lib', file), 'utf8').replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, '')),
  );
  expect(reaching).toEqual([join('servers', 'internals.ts')]);
});
