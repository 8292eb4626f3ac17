// gunicorn (Debian's) takes over from Node, from another gunicorn, and is taken over from by Node.
import { fileURLToPath } from 'node:url';
import { expect, type TestContext, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { CommandRun } from '../../support/command.ts';
import { needs } from '../../support/needs.ts';
import type { Program } from '../../support/program.ts';
import { Scene } from '../../support/scene.ts';
import { StrictLoad } from '../../support/strict-load.ts';

const peers = fileURLToPath(new URL('../../peers', import.meta.url));
const needsGunicorn = (context: TestContext) => needs(context, 'gunicorn', '--version');

function gunicorn(scene: Scene, flags: readonly string[], ...args: readonly string[]): Program {
  const command = ['gunicorn', '--workers', '2', '--pythonpath', peers, ...args];
  return scene.add(
    new CommandRun(['exec', scene.control, ...flags, '--', ...command], { env: { PYTHONDONTWRITEBYTECODE: '1' } }),
  );
}

async function nodeServer(scene: Scene, generation: number): Promise<{ program: Program; port: number }> {
  const program = scene.server({ LISTENERS: '[{"name":"web","port":0,"host":"127.0.0.1"}]' });
  const { addresses } = await program.ready(generation);
  return { program, port: (addresses as { port: number }[])[0]?.port as number };
}

async function masterOf(program: Program): Promise<number> {
  return (await program.event('loaded')).master as number;
}

test('a Node server is replaced by a Python one, that by another one, and that by Node, under strict load', async (context) => {
  needsGunicorn(context);
  await using scene = new Scene();
  const { program: first, port } = await nodeServer(scene, 0);
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);
  let before = first;
  for (let round = 0; round < 2; round++) {
    const next = gunicorn(scene, ['--ready-when', 'http:/'], 'wsgi_app:app');
    expect(await before.exited).toEqual({ code: 0, signal: null });
    await load.servedBy(await masterOf(next));
    before = next;
  }
  const { program: last, port: samePort } = await nodeServer(scene, 3);
  expect(samePort).toBe(port);
  expect(await before.exited).toEqual({ code: 0, signal: null });
  await load.servedBy(last.pid);
  console.log(`${await load.end()} requests, 0 failed`);
});

test('by its own word, which gunicorn gives before its workers have loaded anything', async (context) => {
  needsGunicorn(context);
  await using scene = new Scene();
  const { program: first, port } = await nodeServer(scene, 0);
  const next = gunicorn(scene, [], 'wsgi_app:app');
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(await masterOf(next));
});

test('one whose application does not load, or answers with an error, does not replace anything', async (context) => {
  needsGunicorn(context);
  await using scene = new Scene();
  const { program: first, port } = await nodeServer(scene, 0);
  const missing = gunicorn(scene, ['--ready-when', 'http:/'], 'wsgi_app:no_such_application');
  expect(await missing.exited).toEqual({ code: 1, signal: null });
  expect(missing.stderr).toContain('before it was ready; what served before it serves on');
  const broken = gunicorn(scene, ['--ready-when', 'http:/', '--ready-timeout', '5s'], 'wsgi_app:broken');
  expect(await broken.exited).toEqual({ code: 1, signal: null });
  expect(broken.stderr).toContain('did not answer GET / with a status below 400');
  expect((await ask({ port })).servedBy).toBe(first.pid);
});
