// `fd-handoff listen`: binds, then runs a program with what it has bound.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { CommandRun, runCommand } from '../support/command.ts';
import { plainServer, servingPid } from '../support/plain-server.ts';
import type { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';

function listen(scene: Scene, words: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  return scene.add(new CommandRun(['listen', ...words, '--', ...plainServer], { env }));
}

async function portOf(program: Program): Promise<number> {
  return ((await program.event('serving')).address as { port: number }).port;
}

test('a program has what was bound, with names, in that order; it ends, and nothing is left', async () => {
  await using scene = new Scene();
  const path = join(scene.folder, 'app.sock');
  const abstract = `abstract=unix:@fd-handoff-listen-${process.pid}`;
  const words = ['web=127.0.0.1:0', `local=unix:${path},mode=600`, 'metrics=udp:127.0.0.1:0', abstract];
  const program = listen(scene, words);
  const pid = await servingPid(program);
  expect(await program.event('program')).toMatchObject({
    LISTEN_FDS: '4',
    LISTEN_FDNAMES: 'web:local:metrics:abstract',
    LISTEN_PID: String(pid),
    FD_HANDOFF_READY_FD: '7',
  });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect((await ask({ port: await portOf(program) })).servedBy).toBe(pid);
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(existsSync(path)).toBe(false);
});

test('at a path, at every address of the machine, and at an IPv6 address', async () => {
  await using scene = new Scene();
  const path = join(scene.folder, 'app.sock');
  const local = listen(scene, [`unix:${path}`]);
  const pid = await servingPid(local);
  expect((await ask({ socketPath: path })).servedBy).toBe(pid);
  const everywhere = listen(scene, ['0']);
  const port = await portOf(everywhere);
  expect((await ask({ port })).servedBy).toBe(await servingPid(everywhere));
  const six = listen(scene, ['[::1]:0']);
  expect((await six.event('serving')).address).toMatchObject({ address: '::1', family: 'IPv6' });
});

test('who connects before the program is ready waits, and is served', async () => {
  await using scene = new Scene();
  const path = join(scene.folder, 'app.sock');
  const program = listen(scene, [`unix:${path}`], { BEHAVIOUR: 'late' });
  await program.event('program');
  const waiting = ask({ socketPath: path });
  const pid = await servingPid(program);
  expect((await waiting).servedBy).toBe(pid);
});

test('with a control path it is replaced by itself, by exec and by Node, under strict load', async () => {
  await using scene = new Scene();
  const path = join(scene.folder, 'app.sock');
  const words = [`web=unix:${path},mode=666`, '--control', scene.control];
  const first = listen(scene, words);
  const pid = await servingPid(first);
  const load = new StrictLoad(path);
  await load.servedBy(pid);
  // What it would bind it takes over from the one that has it.
  const second = listen(scene, words);
  await load.servedBy(await servingPid(second));
  expect(await first.exited).toEqual({ code: 0, signal: null });
  const third = scene.add(new CommandRun(['exec', scene.control, '--', ...plainServer]));
  await load.servedBy(await servingPid(third));
  expect(await second.exited).toEqual({ code: 0, signal: null });
  const last = scene.server({ LISTENERS: JSON.stringify([{ path }]) });
  expect(await last.ready(3)).toMatchObject({ listening: [{ path, inherited: true }] });
  await load.servedBy(last.pid);
  expect(await third.exited).toEqual({ code: 0, signal: null });
  console.log(`${await load.end()} requests, 0 failed`);
});

test('an address that somebody has, a program that fails: it says so, and lets go of what it had', async () => {
  await using scene = new Scene();
  const path = join(scene.folder, 'app.sock');
  const first = listen(scene, [`unix:${path}`]);
  const pid = await servingPid(first);
  const taken = await runCommand(['listen', `unix:${path}`, '--', ...plainServer]);
  expect(taken).toMatchObject({ code: 1, stderr: expect.stringContaining('ERR_HANDOFF_ALREADY_OWNED') });
  expect((await ask({ socketPath: path })).servedBy).toBe(pid);
  const another = join(scene.folder, 'another.sock');
  const failing = await runCommand(['listen', `unix:${another}`, '--control', scene.control, '--', 'false']);
  expect(failing).toMatchObject({ code: 1, stderr: expect.stringContaining('exited with code 1 before it was ready') });
  expect(existsSync(another)).toBe(false);
  expect(existsSync(scene.control)).toBe(false);
});

test.for([
  [['--', 'true'], 'the addresses are missing'],
  [['8080'], 'the program is missing'],
  [['8080', '--'], 'the program is missing'],
  [['80800', '--', 'true'], '"80800" is no address'],
  [['8080', '--ready-when', 'soon', '--', 'true'], 'does not say when a program is ready'],
  [['8080', '--stop-signal', 'STOPP', '--', 'true'], 'There is no signal "STOPP"'],
  [['8080', '--ready-timeout', 'soon', '--', 'true'], 'is no duration'],
  [['8080', '--ready-fd', '2', '--', 'true'], 'is no descriptor that can be used here'],
  [['8080', '--convention', 'inetd', '--', 'true'], 'Allowed choices are systemd, nginx, server-starter'],
] as const)('listen %j: %s', async ([words, said]) => {
  expect(await runCommand(['listen', ...words])).toMatchObject({ code: 2, stderr: expect.stringContaining(said) });
});
