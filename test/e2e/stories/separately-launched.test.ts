// Story 7: the next version is another file, and is started by hand or by a deploy script while the first runs.
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { needs } from '../../support/needs.ts';
import { portOf } from '../../support/port-of.ts';
import { Program } from '../../support/program.ts';
import { Story, storyEnvironment } from '../../support/story.ts';
import { StrictLoad } from '../../support/strict-load.ts';

const project = fileURLToPath(new URL('../../../', import.meta.url));

/** A release as a deploy unpacks it: a file of its own. */
function unpack(folder: string, version: string): string {
  const file = `${folder}/server-${version}.mjs`;
  copyFileSync(`${project}test/e2e/programs/story-server.js`, file);
  return file;
}

test('story 7: another file is started by a deploy script while the first runs', async () => {
  await using story = new Story();
  mkdirSync(`${story.folder}/node_modules`);
  symlinkSync(project, `${story.folder}/node_modules/fd-handoff`);
  const start = (version: string, port: number) =>
    story.add(
      new Program('sh', ['-c', 'exec "$0" "$1"', process.execPath, unpack(story.folder, version)], {
        ...storyEnvironment({ listeners: [{ port }] }),
        CONTROL: story.control,
        VERSION: version,
      }),
    );
  const first = start('1', 0);
  const port = await portOf(first);
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);
  for (const version of ['2', '3']) {
    const next = start(version, port);
    await next.event('ready');
    await load.servedBy(next.pid);
    expect((await ask({ port }, '/version')).text).toBe(version);
  }
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect(await load.end()).toBeGreaterThan(0);
});

test('story 7: the next version is a program in another language, and so is the one before', async (context) => {
  needs(context, 'python3', '-c', 'import socket; socket.recv_fds');
  await using story = new Story();
  const env = { CONTROL: story.control };
  const first = story.start({ env });
  const port = await portOf(first);
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);
  const second = story.add(new Program('python3', ['-B', `${project}test/peers/python_peer.py`], env));
  await second.ready(1);
  await load.servedBy(second.pid);
  const third = story.start({ env, listeners: [{ port }] });
  await third.ready(2);
  await load.servedBy(third.pid);
  expect(await load.end()).toBeGreaterThan(0);
});

test('story 7: a next version with a syntax error changes nothing', async () => {
  await using story = new Story();
  const first = story.start({ env: { CONTROL: story.control } });
  const port = await portOf(first);
  writeFileSync(`${story.folder}/broken.mjs`, 'const app = await handoff({');
  const broken = story.add(new Program(process.execPath, [`${story.folder}/broken.mjs`], {}));
  expect((await broken.exited).code).toBe(1);
  expect((await ask({ port })).servedBy).toBe(first.pid);
});
