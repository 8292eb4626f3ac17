import { afterAll, describe, expect, type TestContext, test } from 'vitest';
import { type Block, readPages } from '../support/page.ts';
import { kinds } from './kinds.ts';
import { treatmentOf, treatments } from './treatments.ts';

// Every block of code of README.md and docs/ is run; what cannot be is read by whatever reads such files.

const pages = readPages();
const blocks = pages.flatMap((page) => page.blocks);
const ran = new Map<string, number>();

async function run(block: Block, context: TestContext): Promise<void> {
  const kind = kinds[block.language];
  if (kind === undefined) throw new Error(`no kind of block is called "${block.language}": see kinds.ts`);
  const what = await kind(block, treatmentOf(block.key), context);
  ran.set(what, (ran.get(what) ?? 0) + 1);
}

describe.concurrent.each(pages.filter((page) => page.blocks.length > 0))('$name', ({ blocks }) => {
  test.for(blocks)('line $line: $language', run);
});

test('every treatment is for a block that there is', () => {
  const keys = new Set(blocks.map(({ key }) => key));
  expect(Object.keys(treatments).filter((key) => !keys.has(key))).toEqual([]);
});

afterAll(() => {
  const counts = [...ran].sort().map(([what, count]) => `${count} ${what}`);
  console.log(`${blocks.length} blocks in ${pages.length} pages: ${counts.join(', ')}`);
});
