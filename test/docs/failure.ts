import { once } from 'node:events';
import { expect } from 'vitest';
import { Project } from '../support/documented-program.ts';
import type { Block } from '../support/page.ts';
import { Scene } from '../support/scene.ts';

/** Runs a program that ends with the error whose code is its heading, and nothing else. */
export async function runFailure(block: Block): Promise<string> {
  await using scene = new Scene();
  const project = new Project(scene);
  project.write('server.js', block.text);
  const program = project.start(['server.js']);
  // Not when it has exited: what it has said may still be on its way then.
  expect(await once(program.child, 'close')).toEqual([1, null]);
  const code = block.key.replace(/^.*#/, '').toUpperCase();
  expect([...program.stderr.matchAll(/code: '(\w+)'/g)].map(([, found]) => found)).toContain(code);
  return 'programs that fail as they say';
}
