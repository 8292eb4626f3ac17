import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { reap } from '../../lib/fd/child.ts';
import { type ChildResult, resultOf, root } from './support.ts';

/** Runs in a process that has a child from before it was Node: a shell's, which exec has made Node of. */
const former = `
  import { readFileSync } from 'node:fs';
  import { reap } from './lib/fd/child.ts';
  const child = Number(process.env.CHILD);
  const runs = reap(child);
  process.kill(child, 'SIGKILL');
  while (!reap(child));
  // Its number is nobody's any more.
  let gone = false;
  try { process.kill(child, 0); } catch { gone = true; }
  console.log(JSON.stringify({ runs, gone, again: reap(child) }));
`;

test('one child is waited for when it has ended, and never before', () => {
  const script = 'sleep 600 & CHILD=$! exec "$0" --import tsx --input-type=module -e "$1"';
  const child: ChildResult = spawnSync('/bin/sh', ['-c', script, process.execPath, former], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  assert.deepEqual(resultOf(child), { runs: false, gone: true, again: true });
});

test('who is no child of this process is not waited for', () => {
  assert.equal(reap(process.ppid), true);
});

test('0 and negative numbers would be any child, and are refused', () => {
  for (const pid of [0, -1, 1.5, 2 ** 31, Number.NaN]) {
    assert.throws(() => reap(pid), { code: 'ERR_OUT_OF_RANGE' });
  }
});
