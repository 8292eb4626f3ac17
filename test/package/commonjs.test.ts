import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Installation } from '../support/installation.ts';
import { root } from '../support/packed.ts';

// Two copies of the library in one process would be two owners of its signals and its control path, and an error of the one
// would be no `HandoffError` of the other.

const project = new Installation();
afterAll(() => project[Symbol.dispose]());

const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, unknown>;
};
const entries = Object.keys(exports)
  .filter((name) => name !== './package.json')
  .map((name) => join('fd-handoff', name));

/** What a CommonJS program writes, as JSON. */
function run(program: string, ...options: string[]): unknown {
  writeFileSync(project.file('program.cjs'), program);
  const output = execFileSync(process.execPath, [...options, project.file('program.cjs')], { encoding: 'utf8' });
  return JSON.parse(output);
}

/** Says of every entry what differs between what `require()` and `import()` give. */
const comparison = `
  Promise.all(${JSON.stringify(entries)}.map(async (entry) => {
    const required = require(entry);
    const imported = await import(entry);
    const names = new Set([...Object.keys(required), ...Object.keys(imported)]);
    return [...names].filter((name) => required[name] !== imported[name]).map((name) => entry + ': ' + name);
  })).then((different) => console.log(JSON.stringify(different.flat())));
`;

test('what Node requires is what it imports, in every entry', () => {
  expect(run(comparison)).toEqual([]);
});

test('in a worker thread, too', () => {
  const threaded = `
    const { isMainThread, Worker } = require('node:worker_threads');
    if (isMainThread) new Worker(__filename);
    else { ${comparison} }
  `;
  expect(run(threaded)).toEqual([]);
});

test('and when --import has loaded it before', () => {
  expect(run(comparison, '--import', `file://${project.file('node_modules/fd-handoff/dist/index.js')}`)).toEqual([]);
});

/** Passes descriptors, with an error that two entries have to agree on. */
const separate = `
  const { HandoffError, handoff } = require('fd-handoff');
  const descriptors = require('fd-handoff/fd');
  const [a, b] = descriptors.socketPair();
  descriptors.sendMessage(a, Buffer.from('x'), descriptors.pipe());
  const { fds } = descriptors.receiveMessage(b, 1, 2);
  handoff({ signals: false }).then(async (app) => {
    const from = require.resolve('fd-handoff').split('/').at(-2);
    const shared = descriptors.HandoffError === HandoffError && HandoffError.name === 'HandoffError';
    console.log(JSON.stringify({ from, passed: fds.length, shared }));
    await app.shutdown();
  });
`;

test('where Node may not require an ES module, there is one of CommonJS, and its entries share their classes', () => {
  expect(run(separate)).toEqual({ from: 'dist', passed: 2, shared: true });
  expect(run(separate, '--no-experimental-require-module')).toEqual({ from: 'cjs', passed: 2, shared: true });
});

test('the one of CommonJS exports the same names as the ES modules, and knows its version', () => {
  const same = `
    Promise.all(${JSON.stringify(entries)}.map(async (entry) => {
      const names = (module) => Object.keys(module).filter((name) => name !== 'module.exports').sort().join();
      return names(require(entry)) === names(await import(entry));
    })).then((all) => console.log(JSON.stringify(all)));
  `;
  expect(run(same, '--no-experimental-require-module')).toEqual(entries.map(() => true));
  const version = `
    const { handoff } = require('fd-handoff');
    handoff({ signals: false }).then((app) => {
      console.log(JSON.stringify(app.status().version));
      return app.shutdown();
    });
  `;
  const { version: own } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  expect(run(version, '--no-experimental-require-module')).toBe(own);
});
