import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ask, askJson } from '../support/ask.ts';
import { eventually } from '../support/eventually.ts';
import { portOf } from '../support/port-of.ts';
import { descriptorsOf, isAlive, zombiesOf } from '../support/processes.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exitCode?: number | null;
  readonly signal?: string | null;
  readonly stderr?: string;
  readonly cause?: string;
}

/** A server whose preflights may take this long. */
async function started(scene: Scene, readyTimeout = 30_000, listeners = '[{"port":0}]') {
  const program = scene.server({ OPTIONS: JSON.stringify({ readyTimeout }), LISTENERS: listeners });
  return { program, port: await portOf(program) };
}

/** The environment of this scene's servers, for a version that behaves like this. */
function version(scene: Scene, behaviour: string): NodeJS.ProcessEnv {
  return { ...process.env, CONTROL: scene.control, BEHAVIOUR: behaviour };
}

/** Resolves with the reason for which the attempt failed. */
type Attempt = (program: Program, port: number, options: object) => Promise<Failure>;

const upgrade: Attempt = async (_program, port, options) =>
  askJson<Failure>({ port }, '/admin/upgrade', { preflight: true, ...options });

let attempts = 0;

const reexec: Attempt = async (program, port, options) => {
  const id = ++attempts;
  await ask({ port }, '/admin/reexec', { ...options, id });
  return (await program.event('reexec-failed', (told) => told.id === id)) as unknown as Failure;
};

const ways = [
  { how: 'upgrade', attempt: upgrade },
  { how: 'reexec', attempt: reexec },
];

/** Of children that have failed neither zombies stay nor descriptors. */
async function nothingLeft(program: Program, before: readonly string[]): Promise<void> {
  await eventually(
    () => descriptorsOf(program.pid).length <= before.length,
    () => descriptorsOf(program.pid),
  );
  expect(zombiesOf(program.pid)).toEqual([]);
}

function nothingStopped(program: Program): void {
  expect(program.told.filter(({ event }) => event === 'commit' || event === 'draining')).toEqual([]);
}

test('upgrade({ preflight: true }): the next version is rehearsed, and then takes over; no client notices', async () => {
  await using scene = new Scene();
  const { program, port } = await started(scene);
  const load = new StrictLoad(port);
  await load.servedBy(program.pid);
  const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', { preflight: true });
  const rehearsal = await program.event('starting', (told) => told.rehearsal === true);
  const real = await program.event('starting', (told) => told.pid === pid);
  await load.servedBy(pid);
  expect(await load.end()).toBeGreaterThan(0);
  // It was told what a real one would find, and given none of it.
  const { generation, predecessor, listening } = real;
  expect(rehearsal).toMatchObject({ generation, predecessor, listening, restored: false });
  expect(real).toMatchObject({ rehearsal: false, restored: true });
  expect(listening).toMatchObject([{ port, inherited: true }]);
  expect(isAlive(rehearsal.pid)).toBe(false);
  expect(program.told.filter((told) => told.event === 'ready' && told.pid === rehearsal.pid)).toEqual([]);
});

test('reexec() rehearses the next image by itself, and serves meanwhile', async () => {
  await using scene = new Scene();
  const { program, port } = await started(scene);
  const load = new StrictLoad(port);
  await load.servedBy(program.pid);
  await ask({ port }, '/admin/reexec', {});
  expect(await program.ready(1)).toMatchObject({ pid: program.pid });
  expect(await load.end()).toBeGreaterThan(0);
  const rehearsals = program.told.filter(({ rehearsal }) => rehearsal === true);
  expect(rehearsals).toHaveLength(1);
  expect(rehearsals[0]?.pid).not.toBe(program.pid);
});

test('without a preflight nothing is rehearsed', async () => {
  await using scene = new Scene();
  const { program, port } = await started(scene);
  await ask({ port }, '/admin/reexec', { preflight: false });
  expect((await program.ready(1)).pid).toBe(program.pid);
  await ask({ port }, '/admin/upgrade', {});
  expect((await program.ready(2)).pid).not.toBe(program.pid);
  expect(program.told.filter(({ rehearsal }) => rehearsal === true)).toEqual([]);
});

test('a rehearsal has no listener and no control path, and a signal for all is not for it', async () => {
  await using scene = new Scene();
  const path = join(scene.folder, 'web.sock');
  const { program, port } = await started(scene, 30_000, JSON.stringify([{ port: 0 }, { path }]));
  const files = [path, scene.control].map((file) => statSync(file).ino);
  // Among them a port that it could not bind.
  const LISTENERS = JSON.stringify([{ port: 0 }, { path }, { port: 1 }]);
  const failing = upgrade(program, port, { env: { ...version(scene, 'hang'), LISTENERS } });
  const { pid } = await program.event('hanging');
  const open = descriptorsOf(pid);
  expect(open.filter((kind) => kind === 'listener')).toEqual([]);
  // Standard output and error of a child of Node are such; the third is the connection by which it says that it is ready.
  expect(open.filter((kind) => kind === 'unix socket')).toHaveLength(3);
  for (const signal of ['SIGHUP', 'SIGUSR2', 'SIGTERM'] as const) program.signal(signal, pid);
  expect(await failing).toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED', exitCode: 1 });
  expect(program.told.filter(({ event }) => event === 'error')).toEqual([]);
  expect([path, scene.control].map((file) => statSync(file).ino)).toEqual(files);
  expect((await ask({ socketPath: path })).servedBy).toBe(program.pid);
});

test('handoff() in a worker thread of a rehearsal is refused, whenever the thread was started', async () => {
  await using scene = new Scene();
  const file = fileURLToPath(new URL('programs/threaded-server.js', import.meta.url));
  const program = scene.add(new Program(process.execPath, [file], {}));
  await program.ready(0);
  program.signal('SIGHUP');
  const { codes } = await program.event('rehearsed');
  expect(codes).toEqual(['ERR_HANDOFF_ABORTED', 'ERR_HANDOFF_ABORTED']);
  await program.ready(1);
});

test('the primary of a cluster is rehearsed without its workers', async () => {
  await using scene = new Scene();
  const file = fileURLToPath(new URL('programs/cluster.js', import.meta.url));
  const primary = scene.add(new Program(process.execPath, [file], { CONTROL: scene.control }));
  await primary.ready(0);
  primary.signal('SIGWINCH');
  const { pid, workers } = await primary.ready(1);
  expect(pid).toBe(primary.pid);
  for (const worker of workers as number[]) await primary.event('worker-ready', (told) => told.pid === worker);
  expect(primary.told.filter(({ event }) => event === 'worker-ready')).toHaveLength(4);
});

const failures: { title: string; behaviour: string; exitCode: number; stderr: RegExp }[] = [
  { title: 'exits early', behaviour: 'exit', exitCode: 3, stderr: /^$/ },
  { title: 'exits before it has said anything', behaviour: 'exit-at-once', exitCode: 7, stderr: /^$/ },
  { title: 'throws', behaviour: 'throw', exitCode: 1, stderr: /thrown before ready/ },
  {
    title: 'throws before it has said anything',
    behaviour: 'throw-at-once',
    exitCode: 1,
    stderr: /thrown before anything else/,
  },
];

for (const { how, attempt } of ways) {
  test.each(failures)(`${how}(): a rehearsal that $title calls it off, and says why`, async (failure) => {
    const { behaviour, exitCode, stderr } = failure;
    await using scene = new Scene();
    const { program, port } = await started(scene);
    const before = descriptorsOf(program.pid);
    const error = await attempt(program, port, { env: version(scene, behaviour) });
    expect(error).toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED', exitCode });
    expect(error.message).toMatch(/preflight .*serves on/);
    expect(error.stderr).toMatch(stderr);
    if (stderr.source !== '^$') expect(error.message).toMatch(stderr);
    expect(program.told.filter(({ event }) => event === 'rollback')).toHaveLength(1);
    nothingStopped(program);
    await nothingLeft(program, before);
    expect((await ask({ port })).servedBy).toBe(program.pid);
  });

  const hanging = ['hang', 'hang-at-once', 'block'];
  test.each(hanging)(`${how}(): a rehearsal that hangs (%s) past readyTimeout is ended`, async (behaviour) => {
    await using scene = new Scene();
    const { program, port } = await started(scene, 2_000);
    const before = descriptorsOf(program.pid);
    const error = await attempt(program, port, { env: version(scene, behaviour) });
    expect(error).toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT', message: expect.stringContaining('preflight') });
    for (const { event, pid } of program.told) if (event === 'hanging') expect(isAlive(pid)).toBe(false);
    nothingStopped(program);
    await nothingLeft(program, before);
    expect((await ask({ port })).servedBy).toBe(program.pid);
  });

  test(`${how}(): a rehearsal that is killed calls it off`, async () => {
    await using scene = new Scene();
    const { program, port } = await started(scene);
    const failing = attempt(program, port, { env: version(scene, 'hang') });
    program.signal('SIGKILL', (await program.event('hanging')).pid);
    expect(await failing).toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED', exitCode: null, signal: 'SIGKILL' });
    expect((await ask({ port })).servedBy).toBe(program.pid);
  });

  test(`${how}(): while the preflight runs others find the process busy, and clients find it serving`, async () => {
    await using scene = new Scene();
    const { program, port } = await started(scene);
    const failing = attempt(program, port, { env: version(scene, 'hang') });
    await program.event('hanging');
    expect((await upgrade(program, port, {})).code).toBe('ERR_HANDOFF_BUSY');
    expect((await reexec(program, port, {})).code).toBe('ERR_HANDOFF_BUSY');
    const stranger = scene.server();
    expect(await stranger.exited).toMatchObject({ code: 1 });
    expect(stranger.stderr).toContain('ERR_HANDOFF_BUSY');
    expect((await ask({ port })).servedBy).toBe(program.pid);
    await ask({ port }, '/admin/abort', {});
    expect(await failing).toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
    // The one that was aborted is over for good, and the next may come.
    const next = scene.server();
    await next.ready(1);
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });

  const stops = [
    { stop: 'SIGTERM', behaviour: 'hang', times: 1 },
    { stop: 'a second SIGTERM', behaviour: 'block', times: 2 },
  ];
  test.each(stops)(`${how}(): $stop while the preflight runs ends the rehearsal, and wins`, async (stop) => {
    const { behaviour, times } = stop;
    await using scene = new Scene();
    const { program, port } = await started(scene);
    const failing = attempt(program, port, { env: version(scene, behaviour) }).catch(() => null);
    const rehearsal = await program.event('hanging');
    const toldToStop = () => program.told.filter(({ event, pid }) => event === 'told-to-stop' && pid === program.pid);
    for (let time = 1; time <= times; time++) {
      program.signal('SIGTERM');
      await eventually(() => toldToStop().length === time);
    }
    // The hammer cuts off the request that waits for the outcome, and the exit code says so.
    expect(await program.exited).toMatchObject({ signal: null });
    expect(isAlive(rehearsal.pid)).toBe(false);
    expect(program.told.filter(({ event }) => event === 'commit')).toEqual([]);
    if (how === 'upgrade') await failing;
  });

  test.each(['hang', 'hang-at-once'])(
    `${how}(): a rehearsal (%s) does not outlive its predecessor`,
    async (behaviour) => {
      await using scene = new Scene();
      const { program, port } = await started(scene);
      const cutOff = attempt(program, port, { env: version(scene, behaviour) }).catch(() => null);
      const { pid } = await program.event('hanging');
      program.signal('SIGKILL');
      await program.exited;
      await eventually(() => !isAlive(pid));
      if (how === 'upgrade') await cutOff;
    },
  );

  test(`${how}(): twenty preflights that fail leave nothing, and the next one goes through`, async () => {
    await using scene = new Scene();
    const { program, port } = await started(scene);
    const before = descriptorsOf(program.pid);
    for (let round = 0; round < 20; round++) {
      const preflight = [true, ['/bin/sh', '-c', 'exit 3'], ['/no/such/program'], 'throws'][round % 4];
      const error = await attempt(program, port, { preflight, env: version(scene, 'exit-at-once') });
      expect(error.code).toMatch(/^ERR_HANDOFF_(SUCCESSOR_EXITED|ABORTED|EXEC_FAILED)$/);
    }
    await nothingLeft(program, before);
    nothingStopped(program);
    await ask({ port }, `/admin/${how}`, { preflight: true });
    await program.ready(1);
  });

  test(`${how}(): a function decides`, async () => {
    await using scene = new Scene();
    const { program, port } = await started(scene, 2_000);
    expect(await attempt(program, port, { preflight: 'throws' })).toMatchObject({
      code: 'ERR_HANDOFF_ABORTED',
      message: expect.stringMatching(/preflight .*the configuration is wrong.*serves on/),
      cause: 'the configuration is wrong',
    });
    expect(await attempt(program, port, { preflight: 'hangs' })).toMatchObject({ code: 'ERR_HANDOFF_TIMEOUT' });
    await program.event('check-aborted');
    nothingStopped(program);
    await ask({ port }, `/admin/${how}`, { preflight: 'passes' });
    await program.event('checked');
    await program.ready(1);
    expect(program.told.some(({ rehearsal }) => rehearsal === true)).toBe(false);
  });

  test(`${how}(): a command decides, in the folder and the environment of the next version`, async () => {
    await using scene = new Scene();
    const { program, port } = await started(scene, 2_000);
    const env = { ...version(scene, 'serve'), CHECKED: join(scene.folder, 'checked') };
    const failing = ['/bin/sh', '-c', 'echo "line 3: unknown directive" >&2; exit 1'];
    const error = await attempt(program, port, { env, preflight: failing });
    expect(error).toMatchObject({ code: 'ERR_HANDOFF_ABORTED', exitCode: 1, stderr: 'line 3: unknown directive' });
    expect(error.message).toMatch(/preflight "\/bin\/sh" .*exited with code 1.*serves on.*line 3: unknown directive/s);
    const endless = ['/bin/sh', '-c', 'trap "" TERM; while :; do sleep 600; done'];
    const ended = { code: 'ERR_HANDOFF_TIMEOUT', signal: 'SIGKILL' };
    expect(await attempt(program, port, { env, preflight: endless })).toMatchObject(ended);
    nothingStopped(program);
    await ask({ port }, `/admin/${how}`, { env, preflight: ['sh', '-c', 'pwd > "$CHECKED"'] });
    await program.ready(1);
    expect(statSync(env.CHECKED).size).toBeGreaterThan(1);
  });
}

test.each([
  ['does not exist', () => '/no/such/program'],
  ['is a folder', (scene: Scene) => scene.folder],
  ['may not be executed', () => '/etc/passwd'],
])('reexec({ command }): a program that %s is found out before anything is stopped', async (_, commandIn) => {
  await using scene = new Scene();
  const { program, port } = await started(scene);
  const command = commandIn(scene);
  expect(await reexec(program, port, { command })).toMatchObject({
    code: 'ERR_HANDOFF_EXEC_FAILED',
    message: expect.stringContaining(command),
  });
  nothingStopped(program);
  expect((await ask({ port })).servedBy).toBe(program.pid);
});
