// What was in force when a process was started is what starts its successor, whatever its start command was (rule 13).
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { newerNode } from '../support/newer-node.ts';
import { root } from '../support/packed.ts';
import { Program, type Told } from '../support/program.ts';
import { installRuntime, pointTo, Releases } from '../support/release.ts';
import { Scene } from '../support/scene.ts';
import { singleExecutable } from '../support/single-executable.ts';

let scene: Scene;
let releases: Releases;

beforeEach(() => {
  scene = new Scene();
  releases = new Releases(scene.folder);
  releases.deploy('1');
});
afterEach(() => scene[Symbol.asyncDispose]());

/** A shell in the folder of `current`, as an operator has it. */
function shell(command: string, env: NodeJS.ProcessEnv = {}): Program {
  const line = `cd '${releases.current}' && ${command}`;
  return scene.add(new Program('/bin/sh', ['-c', line], { CONTROL: scene.control, ...env }));
}

/** What a process tells of its start, and its next version has to tell as well. */
function startOf({ command, words, options, pwd, setting, own }: Told) {
  return { command, words, options, pwd, setting, own };
}

/** Replaces whoever serves by SIGHUP, after the release that it is to find was deployed. */
async function replace(program: Program, first: Told, version: string): Promise<Told> {
  releases.deploy(version, '1');
  program.signal('SIGHUP', first.pid);
  const next = await program.ready((first.generation as number) + 1);
  expect(next).toMatchObject({ version, cwd: releases.folderOf(version) });
  expect(startOf(next)).toEqual(startOf(first));
  return next;
}

const node = process.execPath;
const tsx = join(root, 'node_modules', '.bin', 'tsx');

describe('the start command', () => {
  test.for([
    ['a folder', `'${node}' . a b`],
    ['a script without its extension', `'${node}' server a`],
    ['a script that runs by itself', './bin/server a'],
    ['a link to it, as npm makes for a package', 'PATH="node_modules/.bin:$PATH" server a'],
    ['npm', 'npm start --silent -- a'],
    ['text of the command line', `'${node}' -e 'import("./server.mjs")' a b`],
    ['text with options of Node around it', `'${node}' --no-deprecation --eval='import("./server.mjs")' -- a b`],
    ['a module that is loaded before', `'${node}' --import ./server.mjs -e 0 a`],
    ['a loader that starts Node', `'${tsx}' server.ts a`],
    ['a loader of Node', `NODE_OPTIONS='--import ${root}/node_modules/tsx/dist/loader.mjs' '${node}' server.ts a`],
    ['a watching Node', `'${node}' --watch server.mjs a`],
    ['an environment from files', `'${node}' --env-file=.env --env-file=more.env server.mjs a`],
  ] as const)('is started again where it has %s', async ([, command]) => {
    const deploy = releases.deploy.bind(releases);
    releases.deploy = (version, setting) => {
      deploy(version, setting);
      completeRelease(releases.folderOf(version));
    };
    completeRelease(releases.folderOf('1'));
    const program = shell(command);
    const first = await program.ready(0);
    const second = await replace(program, first, '2');
    releases.remove('1');
    await replace(program, second, '3');
    expect(program.stderr).not.toContain('HandoffWarning');
  });

  test('is that of `node --run`', async (context) => {
    completeRelease(releases.folderOf('1'));
    const program = shell(`'${newerNode(context)}' --run start -- a`);
    const first = await program.ready(0);
    releases.deploy('2', '1');
    program.signal('SIGHUP', first.pid);
    expect(startOf(await program.ready(1))).toEqual(startOf(first));
  });

  test('is what npx has made of it, which resolves links by itself', async () => {
    completeRelease(releases.folderOf('1'));
    const program = shell('npx --no-install server a');
    const first = await program.ready(0);
    program.signal('SIGHUP', first.pid);
    expect(startOf(await program.ready(1))).toEqual(startOf(first));
  });

  test('is a program that is one file with Node in it, and has no script to be given again', async (context) => {
    const file = singleExecutable(context, scene.folder);
    const program = scene.add(new Program(file, ['serve', '', '--port'], { CONTROL: scene.control }));
    for (let generation = 0; generation < 3; generation++) {
      const { pid, argv } = await program.ready(generation);
      expect(argv).toEqual(['serve', '', '--port']);
      program.signal(generation === 0 ? 'SIGHUP' : 'SIGUSR1', pid);
    }
    // Node's own bytes are copied and searched, which takes its time.
  }, 180_000);
});

/** What the start commands above need besides the server. */
function completeRelease(folder: string): void {
  const type = 'module';
  const start = `${JSON.stringify(node).slice(1, -1)} server.mjs`;
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'served', type, main: 'server.js', scripts: { start } }),
  );
  writeFileSync(join(folder, 'server.js'), "import './server.mjs';\n");
  writeFileSync(join(folder, 'server.ts'), "const served: string = './server.mjs';\nawait import(served);\n");
  writeFileSync(join(folder, 'more.env'), 'MORE=1\n');
  for (const place of ['bin', 'node_modules/.bin']) mkdirSync(join(folder, place), { recursive: true });
  writeFileSync(join(folder, 'bin/server'), `#!${node}\nimport '../server.mjs';\n`, { mode: 0o755 });
  rmSync(join(folder, 'node_modules/.bin/server'), { force: true });
  symlinkSync('../../bin/server', join(folder, 'node_modules/.bin/server'));
}

describe('what was removed', () => {
  /** SIGHUP comes to nothing, says why, and the process serves on. */
  async function declined(program: Program, { pid, port }: Told): Promise<string> {
    program.signal('SIGHUP', pid);
    const { code, message } = await program.event('rollback');
    expect(code).toBe('ERR_HANDOFF_EXEC_FAILED');
    expect((await ask({ port: port as number })).servedBy).toBe(pid);
    return message as string;
  }

  test('is Node’s link, and what it led to is started', async () => {
    const runtime = join(scene.folder, 'runtime');
    installRuntime(node, join(scene.folder, 'old'));
    symlinkSync('old', runtime);
    const program = shell(`exec '${runtime}/node' server.mjs a`);
    const first = await program.ready(0);
    rmSync(runtime);
    await replace(program, first, '2');
  });

  test.for(['upgrade', 'reexec'])('is Node: %s says so, and nothing was stopped', async (SIGHUP) => {
    const runtime = join(scene.folder, 'runtime');
    installRuntime(node, join(scene.folder, 'old'));
    symlinkSync('old', runtime);
    const program = shell(`exec '${runtime}/node' server.mjs a`, { SIGHUP });
    const first = await program.ready(0);
    renameSync(join(scene.folder, 'old'), join(scene.folder, 'removed'));
    expect(await declined(program, first)).toContain(`${runtime}/node (which was`);
    // A newer one behind the same link is what the start command means then.
    pointTo(runtime, join(scene.folder, 'removed'));
    await replace(program, first, '2');
  });

  test('is found in PATH by its name, as the start command would', async () => {
    installRuntime(node, join(scene.folder, 'old'));
    installRuntime(node, join(scene.folder, 'other'));
    const program = shell(`PATH='${scene.folder}/old:${scene.folder}/other' exec node server.mjs`);
    const first = await program.ready(0);
    expect(first.execPath).toContain('/old/');
    rmSync(join(scene.folder, 'old'), { recursive: true });
    expect((await replace(program, first, '2')).execPath).toContain('/other/');
  });

  test('is the folder, where nobody has said by which link it was entered', async () => {
    const env = { CONTROL: scene.control, PWD: undefined };
    const program = scene.add(new Program(node, ['server.mjs'], env, releases.current));
    const first = await program.ready(0);
    releases.deploy('2');
    renameSync(releases.folderOf('1'), releases.folderOf('kept'));
    expect(await declined(program, first)).toMatch(/entered through a link, nobody has said so.*PWD/);
    renameSync(releases.folderOf('kept'), releases.folderOf('1'));
    program.signal('SIGHUP');
    expect(await program.ready(1)).toMatchObject({ version: '1' });
  });

  test('and made again is what is meant', async () => {
    const program = shell(`exec '${node}' server.mjs`);
    const first = await program.ready(0);
    releases.remove('1');
    releases.deploy('1', '1');
    program.signal('SIGHUP');
    expect(startOf(await program.ready(1))).toEqual(startOf(first));
  });
});

describe('what a program makes of itself', () => {
  test('is not what its successor is started with, and what it gives to that is', async () => {
    writeFileSync(
      join(releases.folderOf('1'), 'given.mjs'),
      `import { handoff } from 'fd-handoff';
      import http from 'node:http';
      const env = { NAME: process.env.NAME, GIVEN: process.env.GIVEN };
      process.env.NAME = 'changed';
      const hooks = { beforeSpawn: ({ env }) => ({ env: { ...env, GIVEN: (Number(env.GIVEN ?? 0) + 1).toString() } }) };
      const app = await handoff({ hooks });
      await app.listen(http.createServer(), { port: 0 });
      await app.ready();
      console.log(JSON.stringify({ event: 'ready', pid: process.pid, generation: app.generation, env }));`,
    );
    const program = shell(`exec '${node}' given.mjs`, { NAME: 'start' });
    program.signal('SIGHUP', (await program.ready(0)).pid);
    const second = await program.ready(1);
    expect(second.env).toEqual({ NAME: 'start', GIVEN: '1' });
    program.signal('SIGHUP', second.pid);
    expect((await program.ready(2)).env).toEqual({ NAME: 'start', GIVEN: '2' });
  });
});
