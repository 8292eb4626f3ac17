// `fd-handoff exec`: programs that know nothing of the library take over, and are taken over from.
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { close } from '../../lib/fd/descriptor.ts';
import { bindTcp, listen } from '../../lib/fd/socket.ts';
import { boundAddress } from '../../lib/servers/index.ts';
import { ask } from '../support/ask.ts';
import { CommandRun, commandFile, runCommand } from '../support/command.ts';
import { HeldRequest } from '../support/held-request.ts';
import { insist } from '../support/insist.ts';
import { needs } from '../support/needs.ts';
import { plainServer, servingPid } from '../support/plain-server.ts';
import { portOf } from '../support/port-of.ts';
import { isAlive } from '../support/processes.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';

async function nodeServer(scene: Scene, env: NodeJS.ProcessEnv = {}): Promise<{ first: Program; port: number }> {
  const first = scene.server({ LISTENERS: '[{"port":0,"host":"127.0.0.1"}]', ...env });
  return { first, port: await portOf(first) };
}

function exec(scene: Scene, env: NodeJS.ProcessEnv = {}, ...flags: readonly string[]): Program {
  return scene.add(new CommandRun(['exec', scene.control, ...flags, '--', ...plainServer], { env }));
}

test('Node, then a program ten times in a row, then Node again, under strict load', async () => {
  await using scene = new Scene();
  const { first, port } = await nodeServer(scene);
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);
  let before = first;
  for (let round = 0; round < 10; round++) {
    const next = exec(scene);
    const pid = await servingPid(next);
    expect(await before.exited).toEqual({ code: 0, signal: null });
    await load.servedBy(pid);
    // The server that was first has told of its successor's pid, and would end that as well.
    if (before !== first) await before.end();
    before = next;
  }
  const last = scene.server({ LISTENERS: '[{"port":0,"host":"127.0.0.1"}]' });
  expect(await last.ready(11)).toMatchObject({ listening: [{ port, inherited: true }] });
  expect(await before.exited).toEqual({ code: 0, signal: null });
  await load.servedBy(last.pid);
  console.log(`${await load.end()} requests, 0 failed`);
});

/** Each way of being known to be ready, and what the program does for it. */
const readiness: readonly { flags: string[]; env: NodeJS.ProcessEnv; needed?: string }[] = [
  { flags: [], env: { BEHAVIOUR: 'ready-fd' } },
  { flags: [], env: { BEHAVIOUR: 'notify' }, needed: 'systemd-notify' },
  { flags: ['--ready-fd', '7'], env: { BEHAVIOUR: 'ready-fd', READY_NUMBER: '7' } },
  { flags: ['--ready-when', 'tcp'], env: { BEHAVIOUR: 'late' } },
  { flags: ['--ready-when', 'http:/?health'], env: { BEHAVIOUR: 'late' } },
  { flags: ['--ready-when', 'after:1500ms'], env: { BEHAVIOUR: 'silent' } },
];

test.for(readiness)(
  '$flags: the predecessor leaves when the program serves, under strict load',
  async ({ flags, env, needed }, context) => {
    if (needed !== undefined) needs(context, needed, '--version');
    await using scene = new Scene();
    const { first, port } = await nodeServer(scene);
    const load = new StrictLoad(port);
    await load.servedBy(first.pid);
    const next = exec(scene, env, ...flags);
    const pid = await servingPid(next);
    expect(await first.exited).toEqual({ code: 0, signal: null });
    await load.servedBy(pid);
    await load.end();
  },
);

test('a predecessor that answers does not make a program ready that does not', async () => {
  await using scene = new Scene();
  const { first, port } = await nodeServer(scene);
  for (const what of ['tcp', 'http:/']) {
    const failing = exec(scene, { BEHAVIOUR: 'hang' }, '--ready-when', what, '--ready-timeout', '1s');
    expect(await failing.exited).toEqual({ code: 1, signal: null });
    expect(failing.stderr).toContain('what served before it serves on');
  }
  const unhealthy = exec(scene, { BEHAVIOUR: 'silent' }, '--ready-when', 'http:/unhealthy', '--ready-timeout', '2s');
  expect(await unhealthy.exited).toEqual({ code: 1, signal: null });
  expect(unhealthy.stderr).toContain('did not answer GET /unhealthy with a status below 400');
  expect((await ask({ port })).servedBy).toBe(first.pid);
});

test('a program that is not there, cannot be run, ends or says nothing: the predecessor serves on', async () => {
  await using scene = new Scene();
  const { first, port } = await nodeServer(scene);
  const folder = join(scene.folder, 'folder');
  writeFileSync(folder, 'not executable');
  const failures: readonly [readonly string[], NodeJS.ProcessEnv, number, string][] = [
    [['no-such-program-anywhere'], {}, 127, 'ERR_HANDOFF_EXEC_FAILED'],
    [[folder], {}, 126, 'ERR_HANDOFF_EXEC_FAILED'],
    [plainServer, { BEHAVIOUR: 'exit' }, 1, 'exited with code 3 before it was ready'],
    [plainServer, { BEHAVIOUR: 'exit-in-order' }, 1, 'exited with code 0 before it was ready'],
    [plainServer, { BEHAVIOUR: 'hang' }, 1, 'it said neither READY=1'],
  ];
  for (const [words, env, code, said] of failures) {
    const failing = scene.add(
      new CommandRun(['exec', scene.control, '--ready-timeout', '1s', '--', ...words], { env }),
    );
    expect(await failing.exited).toEqual({ code, signal: null });
    expect(failing.stderr).toContain(said);
    for (const pid of failing.pids) expect(isAlive(pid)).toBe(false);
    expect((await ask({ port })).servedBy).toBe(first.pid);
  }
  expect(first.told.filter(({ event }) => event === 'rollback')).toHaveLength(failures.length);
});

test('nobody to take over from: exit code 3, or the addresses that are given for that', async () => {
  await using scene = new Scene();
  expect(await runCommand(['exec', scene.control, '--', ...plainServer])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('--or-listen'),
  });
  expect(existsSync(scene.control)).toBe(false);
  const first = exec(scene, {}, '--or-listen', 'web=127.0.0.1:0');
  const { address } = await first.event('serving');
  expect(await first.event('program')).toMatchObject({ LISTEN_FDNAMES: 'web' });
  const second = exec(scene, {}, '--or-listen', 'web=127.0.0.1:0');
  expect((await second.event('serving')).address).toEqual(address);
  expect(await first.exited).toEqual({ code: 0, signal: null });
});

test('one that is told to replace itself starts the program anew, under strict load', async () => {
  await using scene = new Scene();
  const { first, port } = await nodeServer(scene);
  const hosting = exec(scene);
  const pid = await servingPid(hosting);
  await first.exited;
  const load = new StrictLoad(port);
  await load.servedBy(pid);
  expect(await runCommand(['upgrade', scene.control])).toMatchObject({ code: 0 });
  const next = await hosting.event('serving', (told) => told.pid !== pid);
  expect(await hosting.exited).toEqual({ code: 0, signal: null });
  await load.servedBy(next.pid);
  await load.end();
  const status = await runCommand(['status', '--json', scene.control]);
  const { pid: host } = JSON.parse(status.stdout) as { pid: number };
  expect(host).not.toBe(hosting.pid);
  // Nobody but the test ends it where something fails: the last one takes over, and it has to be gone before that is killed.
  hosting.pids.add(host);
  const last = exec(scene);
  await servingPid(last);
  await expect.poll(() => isAlive(host), { timeout: 30_000 }).toBe(false);
});

test('what a service manager has passed is there to be taken, where nobody answers', async () => {
  await using scene = new Scene();
  const fd = bindTcp('127.0.0.1', 0);
  listen(fd, 511);
  const { port } = boundAddress(fd);
  const words = [process.execPath, commandFile, 'exec', scene.control, '--', ...plainServer];
  const variables = 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web';
  const program = scene.add(
    new Program('sh', ['-c', `${variables} exec "$0" "$@"`, ...words], {}, undefined, { inherited: [fd] }),
  );
  close(fd);
  const pid = await servingPid(program);
  expect(await program.event('program')).toMatchObject({ LISTEN_FDNAMES: 'web' });
  expect((await ask({ port: port as number })).servedBy).toBe(pid);
});

test('a program gets what it is to have, in that order; the rest is closed', async () => {
  await using scene = new Scene();
  const LISTENERS = JSON.stringify(['web', 'admin', 'old'].map((name) => ({ name, port: 0, host: '127.0.0.1' })));
  const { first } = await nodeServer(scene, { LISTENERS });
  const { addresses } = await first.ready(0);
  const [web, admin, old] = (addresses as { port: number }[]).map(({ port }) => port);
  const wrong = exec(scene, {}, '--only', 'wed');
  expect(await wrong.exited).toEqual({ code: 1, signal: null });
  expect(wrong.stderr).toContain('offers no listener "wed", but "web", "admin", "old"');
  const next = exec(scene, {}, '--only', 'admin', '--only', 'web');
  const pid = await servingPid(next);
  expect(await next.event('program')).toEqual({
    event: 'program',
    pid,
    LISTEN_FDS: '2',
    LISTEN_FDNAMES: 'admin:web',
    LISTEN_PID: String(pid),
    FD_HANDOFF_READY_FD: '5',
  });
  await first.exited;
  expect((await ask({ port: admin as number })).servedBy).toBe(pid);
  await expect(ask({ port: old as number })).rejects.toThrow('ECONNREFUSED');
  // The other one is in the hands of a program that does not use it.
  expect(web).toBeGreaterThan(0);
});

test('the conventions of nginx and of Server::Starter', async () => {
  await using scene = new Scene();
  const { port } = await nodeServer(scene);
  const nginx = exec(scene, {}, '--convention', 'nginx');
  await servingPid(nginx);
  expect(await nginx.event('program')).toMatchObject({ NGINX: '3;', FD_HANDOFF_READY_FD: '4' });
  expect(await nginx.event('program')).not.toHaveProperty('LISTEN_FDS');
  const perl = exec(scene, {}, '--convention', 'server-starter');
  await servingPid(perl);
  expect(await perl.event('program')).toMatchObject({ SERVER_STARTER_PORT: `127.0.0.1:${port}=3` });
});

test('a program that is killed while its predecessor drains: that one serves again', async () => {
  await using scene = new Scene();
  const { first, port } = await nodeServer(scene);
  using held = await HeldRequest.open(port);
  const next = exec(scene);
  const pid = await servingPid(next);
  await first.event('commit');
  process.kill(pid, 'SIGKILL');
  expect(await next.exited).toEqual({ code: 137, signal: null });
  await first.event('give-back');
  expect((await ask({ port })).servedBy).toBe(first.pid);
  expect(await held.release()).toMatchObject({ status: 200, servedBy: first.pid });
  // And is reached on the control path again.
  const third = exec(scene);
  await servingPid(third);
  await first.exited;
});

test('a program that is killed while it serves alone: so ends the command, and nobody waits in vain', async () => {
  await using scene = new Scene();
  const { first, port } = await nodeServer(scene);
  const next = exec(scene);
  const pid = await servingPid(next);
  await first.exited;
  process.kill(pid, 'SIGKILL');
  expect(await next.exited).toEqual({ code: 137, signal: null });
  expect(next.stderr).toContain('The program ended by SIGKILL');
  await expect(ask({ port })).rejects.toThrow('ECONNREFUSED');
  // What is left of the control path is in nobody's way.
  await nodeServer(scene);
});

test('signals go through to the program: those that stop it stop both, with its exit code', async () => {
  await using scene = new Scene();
  const { first, port } = await nodeServer(scene);
  const next = exec(scene);
  const pid = await servingPid(next);
  await first.exited;
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const) {
    next.signal(signal);
    await next.event('signal', (told) => told.signal === signal);
  }
  const slow = ask({ port }, '/?wait=1000');
  await next.event('began');
  next.signal('SIGTERM');
  expect(await next.event('stopping')).toMatchObject({ pid, signal: 'SIGTERM' });
  expect((await slow).servedBy).toBe(pid);
  expect(await next.exited).toEqual({ code: 0, signal: null });
  expect(existsSync(scene.control)).toBe(false);

  for (const [signal, code] of [['SIGINT', 9]] as const) {
    const { first: another } = await nodeServer(scene);
    const stopped = exec(scene);
    await servingPid(stopped);
    await another.exited;
    stopped.signal(signal);
    expect(await stopped.event('stopping')).toMatchObject({ signal });
    expect(await stopped.exited).toEqual({ code, signal: null });
  }
});

test('a program that does not stop is killed: at the second signal, or when its time is over', async () => {
  await using scene = new Scene();
  await nodeServer(scene);
  const first = exec(scene, { SLOW_STOP: '1' }, '--stop-timeout', '500ms');
  await servingPid(first);
  const second = exec(scene, { SLOW_STOP: '1' });
  const pid = await servingPid(second);
  await first.event('stopping');
  expect(await first.exited).toEqual({ code: 0, signal: null });
  second.signal('SIGTERM');
  await insist(second, 'SIGTERM', second.event('stopping'));
  expect(await second.exited).toEqual({ code: 137, signal: null });
  expect(isAlive(pid)).toBe(false);
});

test('a stop signal of its own, for a successor and for good', async () => {
  await using scene = new Scene();
  await nodeServer(scene);
  const first = exec(scene, {}, '--stop-signal', 'quit');
  await servingPid(first);
  const second = exec(scene, {}, '--stop-signal', 'SIGQUIT');
  await servingPid(second);
  expect(await first.event('stopping')).toMatchObject({ signal: 'SIGQUIT' });
  second.signal('SIGTERM');
  expect(await second.event('stopping')).toMatchObject({ signal: 'SIGQUIT' });
  expect(await second.exited).toEqual({ code: 9, signal: null });
});

test('a command that is killed leaves no program behind', async () => {
  await using scene = new Scene();
  const { first, port } = await nodeServer(scene);
  const next = exec(scene);
  const pid = await servingPid(next);
  await first.exited;
  next.signal('SIGKILL');
  expect(await next.event('stopping')).toMatchObject({ pid, signal: 'SIGTERM' });
  await expect.poll(() => isAlive(pid)).toBe(false);
  await expect(ask({ port })).rejects.toThrow('ECONNREFUSED');
});

test('a successor that dies while the program drains: the program is started again', async () => {
  await using scene = new Scene();
  const { first, port } = await nodeServer(scene);
  const hosting = exec(scene);
  const pid = await servingPid(hosting);
  await first.exited;
  const slow = ask({ port }, '/?wait=3000');
  await hosting.event('began');
  const successor = scene.server({ LISTENERS: '[{"port":0,"host":"127.0.0.1"}]' });
  await successor.ready(2);
  await hosting.event('stopping');
  successor.signal('SIGKILL');
  const again = await hosting.event('serving', (told) => told.pid !== pid);
  expect((await slow).servedBy).toBe(pid);
  await expect.poll(async () => (await ask({ port })).servedBy).toBe(again.pid);
  const last = exec(scene);
  await servingPid(last);
  expect(await hosting.exited).toEqual({ code: 0, signal: null });
});

test('told to stop before the program is ready, it leaves the predecessor as it was', async () => {
  await using scene = new Scene();
  const { first, port } = await nodeServer(scene);
  const next = exec(scene, { BEHAVIOUR: 'hang' });
  const { pid } = await next.event('hanging');
  next.signal('SIGTERM');
  await next.exited;
  expect(isAlive(pid)).toBe(false);
  await first.event('rollback');
  expect((await ask({ port })).servedBy).toBe(first.pid);
});

test('nothing is left in the folder for temporary files, and a wrong ready descriptor is told', async () => {
  await using scene = new Scene();
  const folder = join(scene.folder, 'tmp');
  await nodeServer(scene);
  const { mkdirSync } = await import('node:fs');
  mkdirSync(folder);
  chmodSync(folder, 0o700);
  const wrong = exec(scene, { TMPDIR: folder }, '--ready-fd', '3');
  expect(await wrong.exited).toEqual({ code: 1, signal: null });
  expect(wrong.stderr).toContain("the program's listeners are 3 to 3");
  const next = exec(scene, { TMPDIR: folder });
  await servingPid(next);
  expect(readdirSync(folder)).toHaveLength(1);
  next.signal('SIGTERM');
  await next.exited;
  expect(readdirSync(folder)).toEqual([]);
  expect(tmpdir()).not.toBe(folder);
});
