// Story 17: `current` points to another release, the old one is deleted, Node itself was updated behind its link, and the
// program had changed its own arguments and folder.
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newerNode } from '../../support/newer-node.ts';
import { Program } from '../../support/program.ts';
import { installRuntime, pointTo, Releases } from '../../support/release.ts';
import { Scene } from '../../support/scene.ts';
import { StrictLoad } from '../../support/strict-load.ts';

test.for(['upgrade', 'reexec'])(
  'story 17: the next version is the one that the start command would start now (%s)',
  // The newer Node is fetched first.
  { timeout: 180_000 },
  async (how, context) => {
    const newer = newerNode(context);
    await using scene = new Scene();
    const releases = new Releases(scene.folder);
    releases.deploy('1');
    const runtimes = join(scene.folder, 'runtimes');
    installRuntime(process.execPath, join(runtimes, 'old'));
    const runtime = join(scene.folder, 'runtime');
    symlinkSync(join(runtimes, 'old'), runtime);

    const command = `cd '${releases.current}' && exec '${runtime}/node' --env-file=.env server.mjs serve --name 'a b' ''`;
    const env = { CONTROL: scene.control, SIGHUP: how, LEAVES: 'yes', TITLE: 'a title' };
    const program = scene.add(new Program('/bin/sh', ['-c', command], env));
    const first = await program.ready(0);
    const words = { command: 'serve', words: ['--name', 'a b', ''], options: ['--env-file=.env'] };
    const where = { cwd: releases.folderOf('1'), pwd: releases.current };
    expect(first).toMatchObject({ version: '1', setting: '1', node: process.version, ...words, ...where, own: null });
    const load = new StrictLoad(first.port as number);
    await load.servedBy(first.pid);

    releases.deploy('2');
    releases.remove('1');
    installRuntime(newer, join(runtimes, 'new'));
    pointTo(runtime, join(runtimes, 'new'));
    rmSync(join(runtimes, 'old'), { recursive: true });
    program.signal('SIGHUP');

    const second = await program.ready(1);
    expect(second).toMatchObject({ version: '2', setting: '2', node: 'v22.23.5', ...words, own: null });
    expect(second).toMatchObject({ cwd: releases.folderOf('2'), pwd: releases.current });
    if (how === 'reexec') expect(second.pid).toBe(first.pid);

    // What the second was started with is what starts the third, and nothing has come to it on the way.
    releases.deploy('3');
    releases.remove('2');
    program.signal('SIGHUP', second.pid);
    const third = await program.ready(2);
    expect(third).toMatchObject({ version: '3', setting: '3', cwd: releases.folderOf('3'), pwd: releases.current });
    expect(third).toMatchObject({ ...words, own: null });
    await load.servedBy(third.pid);
    expect(await load.end()).toBeGreaterThan(0);
  },
);
