import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { native } from '../../lib/fd/native.ts';
import { preload, unlessPreloads } from './failing-calls/preload.ts';
import type { PlayedScene, Result } from './failing-calls/program.ts';
import { type Consequence, failuresOf, type Outcome, type Scene, scenes } from './failing-calls/scenes.ts';
import { type ChildResult, resultOf, root } from './support.ts';

const program = fileURLToPath(new URL('failing-calls/program.ts', import.meta.url));
// The beginning of the command, as JSON: `npm run test:valgrind` has the program run under memcheck.
const under: string[] = JSON.parse(process.env.FD_HANDOFF_FAILING_CALLS_UNDER ?? '[]');

let folder: string;
let result: Result;

before(() => {
  if (unlessPreloads !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'fdh-'));
  const [command = process.execPath, ...rest] = [...under, process.execPath];
  const child: ChildResult = spawnSync(command, [...rest, '--import', 'tsx', program, folder], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', TSX_DISABLE_CACHE: '1', ...preload(folder) },
  });
  result = resultOf(child);
});

after(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

function playedScene(title: string): PlayedScene {
  const played = result.played.find((candidate) => candidate.title === title);
  assert.ok(played !== undefined, 'the program has played it');
  return played;
}

function expected(consequence: Consequence, scene: Scene, code: string, undisturbed: Outcome): Outcome {
  if (consequence === 'error') return { code, syscall: scene.syscall };
  return consequence === 'nothing' ? undisturbed : consequence;
}

for (const scene of scenes) {
  test(scene.title, { skip: unlessPreloads || (scene.skip ?? false) }, () => {
    const { undisturbed, disturbed } = playedScene(scene.title);
    const steps = scene.steps(result.variant);
    assert.deepEqual(
      undisturbed.variable.split(':').slice(1, -1),
      steps.map(({ call }) => call),
      'its system calls',
    );
    // A successful exec would have ended the program.
    assert.equal('returns' in undisturbed.outcome, scene.calls !== 'exec', JSON.stringify(undisturbed.outcome));
    assert.deepEqual(undisturbed.leaked, []);
    for (const [index, { call, turn, code, consequence }] of failuresOf(steps).entries()) {
      const { outcome, variable, leaked } = disturbed[index] as (typeof disturbed)[number];
      const name = `${call}, no. ${turn}, fails with ${code}`;
      assert.equal(variable, '', `${name}: it has come to that`);
      assert.deepEqual(outcome, expected(consequence, scene, code, undisturbed.outcome), name);
      assert.deepEqual(leaked, [], name);
    }
  });
}

test('no function of the addon is left out', () => {
  const played = new Set(scenes.map(({ calls }) => calls));
  assert.deepEqual(
    Object.keys(native()).filter((name) => !played.has(name as Scene['calls'])),
    [],
  );
});

test('the package never falls back on Linux', { skip: unlessPreloads }, () => {
  if (process.env.FD_HANDOFF_PREBUILD === undefined) assert.equal(result.variant, 'atomic');
});
