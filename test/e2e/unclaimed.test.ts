import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { runCommand } from '../support/command.ts';
import { isAlive } from '../support/processes.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const program = fileURLToPath(new URL('./programs/own-listen.js', import.meta.url));

function start(scene: Scene, env: NodeJS.ProcessEnv): Program {
  return scene.add(new Program(process.execPath, [program], env, scene.folder));
}

async function first(scene: Scene, env: NodeJS.ProcessEnv = {}): Promise<{ server: Program; port: number }> {
  const server = start(scene, env);
  await server.ready(0);
  const web = server.told.find(({ event, name }) => event === 'registered' && name === 'web');
  return { server, port: (web?.port ?? 0) as number };
}

test('a version whose own listen() keeps EADDRINUSE to itself is no successor: the old process serves on', async () => {
  await using scene = new Scene();
  const { server, port } = await first(scene);
  server.signal('SIGHUP');
  expect(await server.event('rollback')).toMatchObject({
    pid: server.pid,
    code: 'ERR_HANDOFF_UNCLAIMED',
    message: expect.stringMatching(/serves nothing of what.*"web" \(127\.0\.0\.1:\d+\).*app\.listen\(/),
  });
  expect((await ask({ port })).servedBy).toBe(server.pid);
});

test('one that goes on after its ready() was refused is ended', async () => {
  await using scene = new Scene();
  const { server, port } = await first(scene, { SURVIVES: 'yes' });
  server.signal('SIGHUP');
  const { pid } = await server.event('refused');
  await server.event('rollback');
  expect(isAlive(pid)).toBe(false);
  expect((await ask({ port })).servedBy).toBe(server.pid);
});

test('one that is started by hand ends, and leaves the control path as it was', async () => {
  await using scene = new Scene();
  const { server, port } = await first(scene, { CONTROL: scene.control });
  const second = start(scene, { CONTROL: scene.control });
  expect(await second.exited).toEqual({ code: 1, signal: null });
  expect(second.stderr).toContain('ERR_HANDOFF_UNCLAIMED');
  expect((await ask({ port })).servedBy).toBe(server.pid);
  const third = start(scene, { CONTROL: scene.control, CLAIMS: 'web' });
  await third.ready(1);
  expect((await ask({ port })).servedBy).toBe(third.pid);
});

test('the command says why, and exits with 1', async () => {
  await using scene = new Scene();
  const { server } = await first(scene, { CONTROL: scene.control });
  const { code, stderr } = await runCommand(['upgrade', scene.control]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^fd-handoff: ERR_HANDOFF_UNCLAIMED: .*This version serves nothing/);
  expect(isAlive(server.pid)).toBe(true);
});

test.each(['web', 'held', 'number'])(
  'one listener of several is a claim, by %s: the rest is closed',
  async (CLAIMS) => {
    await using scene = new Scene();
    const { server } = await first(scene, { FIRST: 'web:udp:log', CLAIMS });
    server.signal('SIGHUP');
    await server.ready(1);
    expect(await server.exited).toEqual({ code: 0, signal: null });
  },
);

test('a datagram socket is one, and another descriptor is none', async () => {
  await using scene = new Scene();
  const { server } = await first(scene, { FIRST: 'web:udp:log', CLAIMS: 'log', CONTROL: scene.control });
  server.signal('SIGHUP');
  expect(await server.event('rollback')).toMatchObject({
    code: 'ERR_HANDOFF_UNCLAIMED',
    message: expect.stringMatching(/"web".*"udp"/),
  });
  await start(scene, { CLAIMS: 'udp', CONTROL: scene.control }).ready(1);
});

test("unclaimed: 'refuse' leaves nothing, be it no listener", async () => {
  await using scene = new Scene();
  const OPTIONS = '{"unclaimed":"refuse"}';
  const { server, port } = await first(scene, {
    FIRST: 'web:udp:log',
    CLAIMS: 'web:udp',
    OPTIONS,
    CONTROL: scene.control,
  });
  server.signal('SIGHUP');
  expect(await server.event('rollback')).toMatchObject({
    code: 'ERR_HANDOFF_UNCLAIMED',
    message: expect.stringMatching(/leaves "log".*unclaimed: 'refuse'/),
  });
  expect((await ask({ port })).servedBy).toBe(server.pid);
  await start(scene, { CLAIMS: 'web:udp:log', OPTIONS, CONTROL: scene.control }).ready(1);
});

test('a server that listens by itself where a socket file was removed is no successor of that', async () => {
  await using scene = new Scene();
  const SOCKET = join(scene.folder, 'web.sock');
  const { server } = await first(scene, { FIRST: 'path:udp', CLAIMS: 'own path', SOCKET });
  server.signal('SIGHUP');
  expect(await server.event('rollback')).toMatchObject({
    code: 'ERR_HANDOFF_UNCLAIMED',
    message: expect.stringMatching(/listens by itself on .*web\.sock/),
  });
  expect(isAlive(server.pid)).toBe(true);
});

test('with keep it is no successor either', async () => {
  await using scene = new Scene();
  const { server, port } = await first(scene, { OPTIONS: '{"signals":{"SIGHUP":"keep"}}' });
  server.signal('SIGHUP');
  expect(await server.event('rollback')).toMatchObject({ code: 'ERR_HANDOFF_UNCLAIMED' });
  expect((await ask({ port })).servedBy).toBe(server.pid);
});

test('a rehearsal of it fails in the same way: reexec() stops nothing', async () => {
  await using scene = new Scene();
  const { server, port } = await first(scene, { OPTIONS: '{"signals":{"SIGHUP":"reexec"}}', SURVIVES: 'yes' });
  server.signal('SIGHUP');
  expect(await server.event('rollback')).toMatchObject({
    code: 'ERR_HANDOFF_UNCLAIMED',
    message: expect.stringMatching(/The preflight \(process \d+\) was ended/),
  });
  expect((await ask({ port })).servedBy).toBe(server.pid);
});

const registering = "import { handoff } from 'fd-handoff'; import http from 'node:http';";

function script(scene: Scene, text: string): Program {
  const args = ['--input-type=module', '-e', `${registering} const app = await handoff(); ${text}`];
  return scene.add(new Program(process.execPath, args, {}));
}

test.each([
  ['nothing', '', /FD_HANDOFF_NOTHING_REGISTERED.*app\.listen\(/],
  [
    'a server that listens by itself',
    "await new Promise((resolve) => http.createServer().listen(0, '127.0.0.1', resolve)); app.state('count', { save: () => 1, restore() {} });",
    /FD_HANDOFF_NOTHING_REGISTERED.*listens by itself on 127\.0\.0\.1:\d+/,
  ],
])('ready() with %s registered warns', async (_what, before, warning) => {
  await using scene = new Scene();
  const program = script(scene, `${before} await app.ready(); setImmediate(() => process.exit());`);
  await program.exited;
  expect(program.stderr).toMatch(warning);
});

test.each([
  ['a state', "await app.state('count', { save: () => 1, restore() {} });"],
  ['a listener', "await app.listen(http.createServer(), { host: '127.0.0.1', port: 0 });"],
  ['one that is held', "await app.hold({ host: '127.0.0.1', port: 0 });"],
])('ready() with %s registered does not', async (_what, before) => {
  await using scene = new Scene();
  const program = script(scene, `${before} await app.ready(); setImmediate(() => process.exit());`);
  await program.exited;
  expect(program.stderr).toBe('');
});

test('a ready() that is forgotten is told when the process ends for want of anything to do', async () => {
  await using scene = new Scene();
  const program = script(scene, "await app.listen(http.createServer(), { host: '127.0.0.1', port: 0 });");
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(program.stderr).toMatch(/FD_HANDOFF_NOT_READY.*ready\(\) was not called.*await app\.ready\(\)/);
});
