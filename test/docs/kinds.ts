import type { TestContext } from 'vitest';
import type { Block } from '../support/page.ts';
import { checkDiagram } from './diagram.ts';
import { checkDockerfile } from './dockerfile.ts';
import { checkManifest } from './manifest.ts';
import { checkText } from './plain-text.ts';
import { runProgram } from './program.ts';
import { runShell } from './shell.ts';
import type { Treatment } from './treatments.ts';

/** Tries a block out; resolves with what was done, in the words of a count. */
export type Kind = (block: Block, treatment: Treatment | undefined, context: TestContext) => string | Promise<string>;

/** What becomes of a block, by the language that its fence names. */
export const kinds: Readonly<Record<string, Kind>> = {
  js: runProgram,
  cjs: runProgram,
  ts: runProgram,
  sh: runShell,
  json: ({ text }) => {
    JSON.parse(text);
    return 'files of JSON parsed';
  },
  yaml: checkManifest,
  dockerfile: checkDockerfile,
  mermaid: checkDiagram,
  text: checkText,
};
