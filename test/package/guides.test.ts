import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { treatmentOf } from '../docs/treatments.ts';
import { Project, tryOut } from '../support/documented-program.ts';
import { pack, root } from '../support/packed.ts';
import { type Block, readPages } from '../support/page.ts';
import { Scene } from '../support/scene.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';

// As somebody who has just found the package: an empty folder, `npm install --ignore-scripts` of what `npm pack` makes, and
// every program of the guides that is whole, as it stands there.

const stranger = new TemporaryFolder();

/** What a block of a program is written in. */
const programLanguages = ['js', 'cjs', 'ts'];

/** Whether nothing has to be put around a program before it can be started, and it is not to fail. */
function isWhole({ language, key }: Block): boolean {
  if (!programLanguages.includes(language)) return false;
  const treatment = treatmentOf(key);
  if (treatment === undefined) return true;
  if (treatment.is === 'service') return treatment.before === undefined && treatment.speaks === undefined;
  return treatment.is === 'program' && treatment.before === undefined && treatment.after === undefined;
}

const pages = readPages();
const examples = pages.flatMap(({ blocks }) => blocks.filter(isWhole));

beforeAll(() => {
  writeFileSync(stranger.file('package.json'), '{ "private": true }');
  const { filename } = pack(stranger.path);
  const dependency = join(root, 'node_modules', 'node-gyp-build');
  execFileSync('npm', ['install', '--ignore-scripts', '--offline', stranger.file(filename), dependency], {
    cwd: stranger.path,
    stdio: 'pipe',
  });
  return () => stranger[Symbol.dispose]();
});

test('every guide begins with a program that is whole', () => {
  const index = pages.find(({ name }) => name === 'docs/README.md');
  const guides = /## Guides([\s\S]*?)## How it behaves/.exec(index?.text ?? '')?.[1] ?? '';
  const named = [...guides.matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, page]) => `docs/${page}`);
  expect(named.length).toBeGreaterThan(8);
  const first = (name: string) =>
    pages.find((page) => page.name === name)?.blocks.find(({ language }) => programLanguages.includes(language));
  expect(named.filter((name) => !examples.includes(first(name) as Block))).toEqual([]);
});

describe.concurrent('in an empty project works', () => {
  test.for(examples)('$page, line $line', async (block) => {
    await using scene = new Scene();
    const project = new Project(scene, stranger.file(`${basename(block.page, '.md')}-${block.line}`), null);
    const treatment = treatmentOf(block.key);
    const trial = treatment?.is === 'program' ? treatment : {};
    await tryOut(project, project.run(block.language, block.text), trial);
  });
});
