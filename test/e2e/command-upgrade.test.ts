import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { askStatus } from '../support/ask-status.ts';
import { CommandRun, runCommand } from '../support/command.ts';
import { Project } from '../support/documented-program.ts';
import { portOf } from '../support/port-of.ts';
import { isAlive } from '../support/processes.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';
import { serverOf } from '../support/versioned-server.ts';

/** A project whose server runs. */
async function running(
  scene: Scene,
  options?: Parameters<typeof serverOf>[1],
): Promise<{ project: Project; first: Program; port: number }> {
  const project = new Project(scene);
  project.write('server.js', serverOf('one', options));
  const first = scene.add(new Program(process.execPath, ['server.js'], { CONTROL: scene.control }, scene.folder));
  return { project, first, port: await portOf(first) };
}

const hang = `tell('hanging'); setInterval(() => {}, 1000); await new Promise(() => {});`;

test('the process is replaced by what is on the disk, under strict load, and each step is shown', async () => {
  await using scene = new Scene();
  const { project, first, port } = await running(scene);
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);
  project.write('server.js', serverOf('two'));
  const { stdout, stderr, code } = await runCommand(['upgrade', scene.control]);
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  const { pid } = await first.ready(1);
  const lines = stdout.trimEnd().split('\n');
  expect(lines.map((line) => line.replace(/^ *\d+ ms {2}/, ''))).toEqual([
    `process ${first.pid} starts its next version`,
    `process ${pid} has come, and is offered everything`,
    `process ${pid} has the listeners`,
    `process ${pid} has the state`,
    `process ${pid} is ready`,
    `process ${pid} serves; process ${first.pid} finishes what it has, and leaves`,
  ]);
  expect(await ask({ port })).toMatchObject({ servedBy: pid, text: 'two' });
  await load.servedBy(pid);

  const json = await runCommand(['upgrade', scene.control, '--json']);
  const third = await first.ready(2);
  const steps = json.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { phase: string });
  expect(steps.map(({ phase }) => phase)).toEqual([
    'starting',
    'welcomed',
    'descriptors-received',
    'state-sent',
    'ready',
    'done',
  ]);
  expect(steps.at(-1)).toMatchObject({ pid: third.pid, from: pid, elapsed: expect.any(Number) });
  await load.servedBy(third.pid);
  expect(await load.end()).toBeGreaterThan(0);
});

test('a version that cannot start: exit code 1, with its error, and the old one serves on', async () => {
  await using scene = new Scene();
  const { project, first, port } = await running(scene);
  project.write('server.js', 'this is no JavaScript');
  const failed = await runCommand(['upgrade', scene.control]);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(
    new RegExp(`^fd-handoff: ERR_HANDOFF_SUCCESSOR_EXITED: Process ${first.pid} was not replaced: The successor .*\n`),
  );
  expect(failed.stderr).toContain('SyntaxError: ');
  expect(failed.stderr).not.toContain('requestUpgrade');
  expect((await ask({ port })).servedBy).toBe(first.pid);
  const json = await runCommand(['upgrade', scene.control, '--json']);
  expect(JSON.parse(json.stdout.trimEnd().split('\n').at(-1) as string)).toMatchObject({
    phase: 'failed',
    code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
    message: expect.stringContaining('SyntaxError: '),
  });
  project.write('server.js', serverOf('two'));
  expect(await runCommand(['upgrade', scene.control])).toMatchObject({ code: 0 });
  expect((await ask({ port })).text).toBe('two');
});

test('a version that hangs: exit code 1 after the readyTimeout; meanwhile another upgrade is refused', async () => {
  await using scene = new Scene();
  const { project, first, port } = await running(scene, {
    options: '{ control: process.env.CONTROL, readyTimeout: 5000 }',
  });
  project.write('server.js', serverOf('two', { before: hang }));
  const waiting = runCommand(['upgrade', scene.control]);
  await first.event('hanging');
  const busy = await runCommand(['upgrade', scene.control]);
  expect(busy).toMatchObject({ stdout: '', code: 1 });
  expect(busy.stderr).toMatch(/^fd-handoff: ERR_HANDOFF_BUSY: .*\n$/);
  const { stderr, code } = await waiting;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^fd-handoff: ERR_HANDOFF_TIMEOUT: Process \d+ was not replaced: /);
  expect((await ask({ port })).servedBy).toBe(first.pid);
});

test('a process that dies in the middle: exit code 1, and who answers then', async () => {
  await using scene = new Scene();
  const { project, first } = await running(scene);
  project.write('server.js', serverOf('two', { before: hang }));
  const waiting = runCommand(['upgrade', scene.control]);
  const { pid } = await first.event('hanging');
  first.signal('SIGKILL');
  const { stderr, code } = await waiting;
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^fd-handoff: ERR_HANDOFF_PREDECESSOR_EXITED: Process \d+ on .* Nobody answers there now\.\n$/,
  );
  process.kill(pid, 'SIGKILL');
});

test('a process that is not there, or is stopped: nothing was begun', async () => {
  await using scene = new Scene();
  expect(await runCommand(['upgrade', scene.control])).toMatchObject({ stdout: '', code: 3 });
  const { first } = await running(scene);
  first.signal('SIGSTOP');
  const stopped = await runCommand(['upgrade', scene.control, '--timeout', '0.2']);
  expect(stopped).toMatchObject({ stdout: '', code: 6 });
  expect(stopped.stderr).toMatch(/^fd-handoff: ERR_HANDOFF_TIMEOUT: .* \(it may still do so\)/);
});

test('Ctrl-C ends the command and not the upgrade, and so does whatever kills it', async () => {
  await using scene = new Scene();
  const { project, first, port } = await running(scene);
  let generation = 0;
  for (const [signal, exit] of [
    ['SIGINT', { code: 130, signal: null }],
    ['SIGKILL', { code: null, signal: 'SIGKILL' }],
  ] as const) {
    generation++;
    const before = `tell('waiting', { generation: app.generation });
      await new Promise((resolve) => { const timer = setInterval(() => {}, 1000); process.once('SIGCONT', () => { clearInterval(timer); resolve(); }); });`;
    project.write('server.js', serverOf('two', { before }));
    const run = scene.add(new CommandRun(['upgrade', scene.control]));
    const { pid } = await first.event('waiting', (told) => told.generation === generation);
    await run.output('has the state');
    run.signal(signal);
    expect(await run.exited).toEqual(exit);
    expect(isAlive(pid)).toBe(true);
    if (signal === 'SIGINT')
      expect(run.stderr).toMatch(/^fd-handoff: Ended by Ctrl-C; the upgrade of process \d+ goes on\./);
    expect(await askStatus(scene.control)).toMatchObject({ phase: 'offering', generation: generation - 1 });
    process.kill(pid, 'SIGCONT');
    await first.ready(generation);
    expect((await ask({ port })).servedBy).toBe(pid);
  }
});
