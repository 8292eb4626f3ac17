import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

test('a program that is started by anybody takes over through the control path', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const { addresses } = await first.ready(0);
  const { port } = (addresses as { port: number }[])[0] as { port: number };
  const second = scene.server();
  expect(await second.ready(1)).toMatchObject({ predecessor: { pid: first.pid, generation: 0 }, restored: true });
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(second.pid);
  const third = scene.server();
  await third.ready(2);
  expect(await second.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(third.pid);
});

test('the socket file is for its owner alone, outlives every handoff, and goes with the last process', async () => {
  await using scene = new Scene();
  const first = scene.server();
  await first.ready(0);
  const file = statSync(scene.control);
  expect(file.mode & 0o777).toBe(0o600);
  const second = scene.server();
  await second.ready(1);
  await first.exited;
  expect(statSync(scene.control).ino).toBe(file.ino);
  second.signal('SIGTERM');
  expect(await second.exited).toEqual({ code: 0, signal: null });
  expect(existsSync(scene.control)).toBe(false);
});

test('two starts at once on one path: one wins, the other takes over from it', async () => {
  await using scene = new Scene();
  const programs = [scene.server(), scene.server()];
  const winner = await Promise.race(programs.map((program) => program.ready(0)));
  const other = programs.find(({ pid }) => pid !== winner.pid) as Program;
  expect(await other.ready(1)).toMatchObject({ predecessor: { pid: winner.pid } });
});

test('the socket file of a process that was killed is no obstacle', async () => {
  await using scene = new Scene();
  const first = scene.server();
  await first.ready(0);
  first.signal('SIGKILL');
  await first.exited;
  expect(existsSync(scene.control)).toBe(true);
  const second = scene.server();
  await second.ready(0);
});

test('a file at the control path that is no socket is left alone, with a clear error', async () => {
  await using scene = new Scene();
  writeFileSync(scene.control, 'precious');
  const program = scene.server();
  expect(await program.exited).toMatchObject({ code: 1 });
  expect(program.stderr).toMatch(/ERR_HANDOFF_ALREADY_OWNED.*is not a socket/s);
  expect(statSync(scene.control).size).toBe(8);
});

test('a successor that is started by anybody and fails before ready leaves the service as it was', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const { addresses } = await first.ready(0);
  const { port } = (addresses as { port: number }[])[0] as { port: number };
  for (const BEHAVIOUR of ['exit', 'throw']) {
    const failing = scene.server({ BEHAVIOUR });
    await failing.exited;
    expect((await ask({ port })).servedBy).toBe(first.pid);
  }
  await expect.poll(() => first.told.filter(({ event }) => event === 'rollback').length).toBe(2);
  const next = scene.server();
  await next.ready(1);
});

test('on Linux an abstract control path works like any other', { skip: process.platform !== 'linux' }, async () => {
  await using scene = new Scene();
  const CONTROL = `@fd-handoff-${process.pid}-${Date.now()}`;
  const first = scene.server({ CONTROL });
  await first.ready(0);
  const second = scene.server({ CONTROL });
  await second.ready(1);
  expect(await first.exited).toEqual({ code: 0, signal: null });
});

test('the version behind a symbolic link is the one that an upgrade starts', async () => {
  await using scene = new Scene();
  const { mkdirSync, readFileSync, renameSync, symlinkSync } = await import('node:fs');
  const { serverProgram } = await import('../support/program.ts');
  const source = readFileSync(serverProgram, 'utf8').replace(
    "'fd-handoff'",
    JSON.stringify(import.meta.resolve('fd-handoff')),
  );
  for (const release of ['1', '2']) {
    mkdirSync(join(scene.folder, release));
    writeFileSync(join(scene.folder, release, 'server.mjs'), `${source}\ntell('release', { release: ${release} });\n`);
  }
  const current = join(scene.folder, 'current');
  symlinkSync('1', current);
  const program = scene.add(
    new Program(
      'sh',
      ['-c', 'exec "$0" server.mjs', process.execPath],
      { CONTROL: scene.control, PWD: current },
      current,
    ),
  );
  await program.event('release', ({ release }) => release === 1);
  symlinkSync('2', `${current}.next`);
  renameSync(`${current}.next`, current);
  program.signal('SIGHUP');
  await program.event('release', ({ release }) => release === 2);
});
