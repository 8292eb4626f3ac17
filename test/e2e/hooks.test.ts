import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ask, askJson } from '../support/ask.ts';
import { eventually } from '../support/eventually.ts';
import { portOf } from '../support/port-of.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const file = fileURLToPath(new URL('programs/hooked-server.js', import.meta.url));

type Hooked = { readonly [hook: string]: 'throws' | 'rejects' | 'hangs' };

/** Writes what the next version is to have in its environment. */
function writeEnvFile(scene: Scene, values: { readonly [name: string]: string }): void {
  const lines = Object.entries(values).map(([name, value]) => `${name}='${value}'`);
  writeFileSync(join(scene.folder, '.env'), `${lines.join('\n')}\n`);
}

function start(scene: Scene, hooked: Hooked = {}, options: object = {}, env: NodeJS.ProcessEnv = {}): Program {
  writeEnvFile(scene, {});
  return scene.add(
    new Program(process.execPath, [file], {
      CONTROL: scene.control,
      ENV_FILE: join(scene.folder, '.env'),
      HOOKED: JSON.stringify(hooked),
      OPTIONS: JSON.stringify(options),
      ...env,
    }),
  );
}

/** What `program` itself has told, in the order in which it happened. */
function course(program: Program, pid = program.pid): string[] {
  return program.told.filter((told) => told.pid === pid).map(({ event }) => event);
}

test('the hooks are called in their order, and told what happens', async () => {
  await using scene = new Scene();
  const first = start(scene);
  const port = await portOf(first);
  first.signal('SIGHUP');
  const { pid } = await first.ready(1);
  expect(await first.exited).toEqual({ code: 0, signal: null });
  const everything = ['before-bind', 'after-bind', 'starting', 'job-started', 'ready'];
  expect(course(first, pid)).toEqual(everything);
  expect(course(first).slice(0, 6)).toEqual([...everything, 'before-spawn']);
  expect(course(first).slice(6).sort()).toEqual([
    'after-commit',
    'after-commit-done',
    'commit',
    'job-stopped',
    'on-close',
  ]);
  expect(course(first).at(-1)).toBe('on-close');
  const binds = first.told.filter(({ event }) => event === 'before-bind' || event === 'after-bind');
  expect(binds).toMatchObject([
    { name: 'tcp-0', address: { address: '::', port: 0 }, rehearsal: false },
    { name: 'tcp-0', address: { port }, inherited: false },
    { name: 'tcp-0', address: { address: '::', port: 0 }, rehearsal: false },
    { name: 'tcp-0', address: { port }, inherited: true },
  ]);
  const spawn = { command: process.execPath, args: [file], cwd: process.cwd() };
  expect(await first.event('before-spawn')).toMatchObject(spawn);
  expect(await first.event('after-commit')).toMatchObject({ successor: pid, mode: 'replace' });
});

test('beforeSpawn refreshes what the next version is started with from the disk, also by signal', async () => {
  await using scene = new Scene();
  const program = start(scene);
  const port = await portOf(program);
  writeEnvFile(scene, { VERSION: 'two', ARGS: '--verbose --level 3' });
  program.signal('SIGHUP');
  const arguments3 = ['--verbose', '--level', '3'];
  expect(await program.ready(1)).toMatchObject({ version: 'two', args: arguments3 });
  // What was added once is the successor's own by now; this adds nothing, and changes the folder.
  const folder = join(scene.folder, 'elsewhere');
  mkdirSync(folder);
  writeEnvFile(scene, { VERSION: 'three', CWD: folder });
  const { pid } = await askJson<{ pid: number }>({ port }, '/upgrade', { preflight: true });
  expect(await program.ready(2)).toMatchObject({ pid, version: 'three', args: arguments3, cwd: folder });
  // What was rehearsed is what was started then.
  const rehearsed = await program.event('starting', ({ rehearsal }) => rehearsal === true);
  expect(rehearsed).toMatchObject({ version: 'three', args: arguments3, cwd: folder });
  writeEnvFile(scene, { VERSION: 'four' });
  await ask({ port }, '/reexec', {});
  expect(await program.ready(3)).toMatchObject({ pid, version: 'four' });
});

test('beforeSpawn can put another program in the place of this one', async () => {
  await using scene = new Scene();
  const program = start(scene);
  const port = await portOf(program);
  writeEnvFile(scene, { COMMAND: '/no/such/program' });
  expect(await askJson({ port }, '/upgrade', {})).toMatchObject({ code: 'ERR_HANDOFF_EXEC_FAILED' });
  await ask({ port }, '/reexec', {});
  expect(await program.event('failed', ({ message }) => String(message).startsWith('The next image'))).toMatchObject({
    code: 'ERR_HANDOFF_EXEC_FAILED',
    message: expect.stringContaining('/no/such/program'),
  });
  expect((await ask({ port })).servedBy).toBe(program.pid);
});

const vetoes = [
  { how: 'throws', code: 'ERR_HANDOFF_ABORTED', cause: 'beforeSpawn throws' },
  { how: 'rejects', code: 'ERR_HANDOFF_ABORTED', cause: 'beforeSpawn rejects' },
  { how: 'hangs', code: 'ERR_HANDOFF_TIMEOUT' },
] as const;

test.each(vetoes)(
  'beforeSpawn that $how calls the handoff off, and the service goes on',
  async ({ how, ...reason }) => {
    await using scene = new Scene();
    const program = start(scene, { beforeSpawn: how }, { readyTimeout: 1_000 });
    const port = await portOf(program);
    expect(await askJson({ port }, '/upgrade', {})).toMatchObject(reason);
    program.signal('SIGHUP');
    expect(await program.event('error')).toMatchObject({ ...reason, message: expect.stringContaining('beforeSpawn') });
    await ask({ port }, '/reexec', {});
    await eventually(() => program.told.filter(({ event }) => event === 'failed').length === 2);
    expect(program.told.findLast(({ event }) => event === 'failed')).toMatchObject(reason);
    expect(program.told.filter(({ event }) => event === 'rollback')).toHaveLength(3);
    expect(program.told.filter(({ event }) => event === 'commit' || event === 'job-stopped')).toEqual([]);
    expect((await ask({ port })).servedBy).toBe(program.pid);
  },
);

const failing = ['throws', 'rejects', 'hangs'] as const;

for (const hook of ['beforeBind', 'afterBind']) {
  test.each(failing)(`${hook} that %s: the start fails, and the predecessor stays`, async (how) => {
    await using scene = new Scene();
    const path = join(scene.folder, 'web.sock');
    const LISTENER = JSON.stringify({ path });
    const options = { readyTimeout: 1_000 };
    const alone = start(scene, { [hook]: how }, options, { LISTENER });
    expect(await alone.exited).toEqual({ code: 1, signal: null });
    expect(alone.stderr).toContain(hook);
    expect(existsSync(path)).toBe(false);

    // The successor does not wait longer than its predecessor would.
    const program = start(scene, {}, { readyTimeout: 10_000 }, { LISTENER });
    await program.ready(0);
    writeEnvFile(scene, { HOOKED: JSON.stringify({ [hook]: how }), OPTIONS: JSON.stringify(options) });
    program.signal('SIGHUP');
    const error = await program.event('error');
    expect(error).toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED', message: expect.stringContaining(hook) });
    expect((await ask({ socketPath: path })).servedBy).toBe(program.pid);
    // And what it had is not harmed: the next one gets it.
    writeEnvFile(scene, {});
    program.signal('SIGHUP');
    expect(await program.ready(1)).toMatchObject({ inherited: true });
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });
}

test.each(failing)('afterCommit that %s is reported, and changes nothing', async (how) => {
  await using scene = new Scene();
  const program = start(scene, { afterCommit: how }, { drainTimeout: 1_000 });
  const port = await portOf(program);
  writeEnvFile(scene, { HOOKED: '{}' });
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  expect(await program.event('error')).toMatchObject({ message: expect.stringContaining('afterCommit') });
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(pid);
});

test.each(failing)('onClose that %s is reported, and the process leaves all the same', async (how) => {
  await using scene = new Scene();
  const program = start(scene, { onClose: how }, { closeTimeout: 300 });
  await program.ready(0);
  program.signal('SIGTERM');
  expect(await program.event('error')).toMatchObject({ message: expect.stringContaining('onClose') });
  expect(await program.exited).toEqual({ code: 0, signal: null });
});

test('afterCommit is called for a successor beside this process, too', async () => {
  await using scene = new Scene();
  const program = start(scene, {}, { signals: { SIGUSR2: 'keep' } });
  await program.ready(0);
  program.signal('SIGUSR2');
  const { pid } = await program.ready(1);
  expect(await program.event('after-commit')).toMatchObject({ successor: pid, mode: 'keep' });
});

test('app.draining reaches a background job: it stops at commit, and starts again where the service comes back', async () => {
  await using scene = new Scene();
  const program = start(scene);
  const port = await portOf(program);
  await program.event('job-started');
  const slow = ask({ port }, '/?wait=3000');
  await program.event('began');
  const { pid } = await askJson<{ pid: number }>({ port }, '/upgrade', {});
  await program.event('job-stopped');
  await program.event('job-started', (told) => told.pid === pid);
  program.signal('SIGKILL', pid);
  await program.event('give-back');
  const jobs = () => course(program).filter((event) => event.startsWith('job-'));
  await eventually(() => jobs().length === 3);
  expect(jobs()).toEqual(['job-started', 'job-stopped', 'job-started']);
  expect((await slow).servedBy).toBe(program.pid);
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(jobs()).toEqual(['job-started', 'job-stopped', 'job-started', 'job-stopped']);
});

test('a rehearsal calls the hooks of a start, and says that it is one', async () => {
  await using scene = new Scene();
  const program = start(scene);
  const port = await portOf(program);
  await askJson({ port }, '/upgrade', { preflight: true });
  const told = program.told.filter(({ event, rehearsal }) => /bind/.test(event) && rehearsal === true);
  expect(told).toMatchObject([
    { event: 'before-bind', address: { port: 0 } },
    { event: 'after-bind', address: { port }, inherited: true },
  ]);
  // Of those that come after ready() it calls none.
  const pid = told[0]?.pid as number;
  expect(course(program, pid)).toEqual(['before-bind', 'after-bind', 'starting']);
});
