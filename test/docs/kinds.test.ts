import { expect, test } from 'vitest';
import { type Block, readPage } from '../support/page.ts';
import { checkDiagram } from './diagram.ts';
import { checkDockerfile } from './dockerfile.ts';
import { checkManifest } from './manifest.ts';
import { checkText } from './plain-text.ts';

// What reads a block finds what is wrong in it.

/** The first block of that language on a page, with a slip. */
function spoilt(page: string, language: string, right: string, wrong: string): Block {
  const block = readPage(page).blocks.find((one) => one.language === language && one.text.includes(right));
  if (block === undefined) throw new Error(`${page} has no ${language} with "${right}"`);
  return { ...block, text: block.text.replace(right, wrong) };
}

test('a field that Kubernetes does not have', async () => {
  const block = spoilt('docs/kubernetes.md', 'yaml', 'periodSeconds:', 'periodSecond:');
  await expect(checkManifest(block)).rejects.toThrow(/periodSecond/);
});

test('an instruction that Docker does not have', () => {
  expect(() => checkDockerfile(spoilt('docs/docker.md', 'dockerfile', 'WORKDIR', 'WORKDI'))).toThrow(/WORKDI/);
});

test('a line that is none of a state diagram', () => {
  expect(() => checkDiagram(spoilt('docs/protocol.md', 'mermaid', 'starting --> taking_over', 'starting -> '))).toThrow(
    /not a line/,
  );
});

test('a byte that is not the character beside it', () => {
  expect(() => checkText(spoilt('docs/protocol.md', 'text', '0000  30 31', '0000  30 32'))).toThrow();
});
