import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ask, askJson } from '../support/ask.ts';
import { askStatus } from '../support/ask-status.ts';
import { portOf } from '../support/port-of.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

test('a control path that is given by the environment is the one, in place of the own, and is handed on', async () => {
  await using scene = new Scene();
  const given = `${scene.folder}/given.sock`;
  const first = scene.server({ FD_HANDOFF_CONTROL: given });
  const port = await portOf(first);
  expect(await askStatus(given)).toMatchObject({ pid: first.pid, control: given });
  expect(existsSync(scene.control)).toBe(false);
  // A helper of this process would take over from it.
  expect(await askJson({ port }, '/admin/environment')).not.toContain('FD_HANDOFF_CONTROL');

  first.signal('SIGHUP');
  const { pid } = await first.ready(1);
  await expect.poll(() => askStatus(given)).toMatchObject({ pid, generation: 1, control: given });
  expect(existsSync(scene.control)).toBe(false);

  const separate = scene.server({ FD_HANDOFF_CONTROL: given });
  await separate.ready(2);
  expect((await ask({ port })).servedBy).toBe(separate.pid);

  await askJson({ port }, '/admin/reexec', {});
  await separate.event('ready', ({ generation }) => generation === 3);
  await expect.poll(() => askStatus(given)).toMatchObject({ pid: separate.pid, generation: 3, control: given });
  expect(existsSync(scene.control)).toBe(false);
});

test('a program that gives none has it, too, for the first of its handoffs', async () => {
  await using scene = new Scene();
  const control = `${scene.folder}/given.sock`;
  const start = () => scene.add(Program.server({ CONTROL: undefined, FD_HANDOFF_CONTROL: control }));
  const first = start();
  const port = await portOf(first);
  const second = start();
  await second.ready(1);
  expect((await ask({ port })).servedBy).toBe(second.pid);
  expect(await askStatus(control)).toMatchObject({ pid: second.pid, control });
});
