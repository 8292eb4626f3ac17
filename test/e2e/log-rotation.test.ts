import { mkdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { HeldRequest } from '../support/held-request.ts';
import { needs } from '../support/needs.ts';
import { isAlive } from '../support/processes.ts';
import type { Told } from '../support/program.ts';
import { RotatedLog } from '../support/rotated-log.ts';

const needsLogrotate = (context: TestContext) => needs(context, 'logrotate', '--version');

async function portOf(scene: RotatedLog): Promise<number> {
  return (await scene.event('listening')).port as number;
}

/** Three rotations under load, with a handoff and a re-exec between, while the first process drains to the end. */
async function rotateThrice(scene: RotatedLog, numbers: (fd: number) => number[]): Promise<void> {
  const follows = ({ pid, fd }: Told) => scene.follows(pid, ...numbers(fd as number));
  const first = await scene.ready(0);
  using held = await HeldRequest.open(await portOf(scene));
  scene.rotate('create');
  await follows(first);
  process.kill(first.pid, 'SIGHUP');
  const second = await scene.ready(1);
  await follows(second);
  // Only the second is told: the first has its last lines still to write.
  expect(scene.named()).toBe(second.pid);
  scene.rotate('create');
  await follows(first);
  await follows(second);
  process.kill(second.pid, 'SIGUSR2');
  const third = await scene.ready(2);
  expect(third.pid).toBe(second.pid);
  scene.rotate('create');
  await follows(first);
  await follows(third);
  const sizes = scene.sizes();
  expect((await held.release()).text).toBe('done');
  await scene.event('written', ({ writer }) => writer === '0');
  process.kill(third.pid, 'SIGTERM');
  await scene.event('written', ({ writer }) => writer === '2');
  await expect.poll(() => isAlive(first.pid) || isAlive(third.pid)).toBe(false);
  // Nobody has written to what was renamed.
  expect(scene.sizes()).toEqual(sizes);
  expect(scene.told().filter(({ event }) => event === 'error')).toEqual([]);
}

/**
 * Every line is there once: nothing was lost, doubled, or written where it does not belong.
 *
 * @param streams in order each; what a successor says on standard error before it is ready comes by its predecessor, a moment
 *   after what it says on standard output
 */
function expectEveryLine(scene: RotatedLog, streams: 1 | 2): void {
  const { byWriter, others } = scene.lines();
  expect(others).toEqual([]);
  for (const [writer, inFiles] of byWriter) {
    const numbers = streams === 1 ? inFiles : inFiles.sort((one, other) => one - other);
    expect(numbers, `writer ${writer}`).toEqual(numbers.map((_, index) => index));
    const end = scene.told().find((told) => told.event === 'written' && told.writer === writer);
    if (end !== undefined) expect(numbers.length).toBe(end.written);
  }
  expect([...byWriter.keys()].sort()).toEqual(['0', '1', '2']);
}

test('a log of descriptor() follows logrotate, across a handoff and a re-exec, and so does who drains', async (context) => {
  needsLogrotate(context);
  await using scene = new RotatedLog();
  scene.start();
  await rotateThrice(scene, (fd) => [fd]);
  expectEveryLine(scene, 1);
});

test('so do standard output and standard error that a shell has led to the log', async (context) => {
  needsLogrotate(context);
  await using scene = new RotatedLog();
  scene.start({ MANNER: 'stdio' }, 'shell');
  await rotateThrice(scene, (fd) => [fd, 1, 2]);
  expectEveryLine(scene, 2);
});

test('copytruncate needs no signal: no line is torn, doubled or in the wrong place, and none lost but in its own gap', async (context) => {
  needsLogrotate(context);
  await using scene = new RotatedLog();
  scene.start({ MANNER: 'truncated' });
  const first = await scene.ready(0);
  scene.rotate('copytruncate');
  process.kill(first.pid, 'SIGHUP');
  const second = await scene.ready(1);
  await scene.event('written', ({ writer }) => writer === '0');
  scene.rotate('copytruncate');
  process.kill(second.pid, 'SIGUSR2');
  const third = await scene.ready(2);
  scene.rotate('copytruncate');
  process.kill(third.pid, 'SIGTERM');
  await scene.event('written', ({ writer }) => writer === '2');
  const { byWriter, others } = scene.lines();
  // A line can be cut in two by the copy, as logrotate's manual says: its front half is in one file, the rest is gone.
  expect(others.length).toBeLessThanOrEqual(3);
  for (const line of others) expect(line).not.toContain('\0');
  let gaps = 0;
  for (const numbers of byWriter.values()) {
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    expect(new Set(numbers).size).toBe(numbers.length);
    gaps += numbers.filter((number, index) => index > 0 && number !== (numbers[index - 1] as number) + 1).length;
  }
  expect(gaps).toBeLessThanOrEqual(3);
});

test('a log that was removed is there again at the signal, and at the next handoff without one', async () => {
  await using scene = new RotatedLog();
  scene.start();
  const first = await scene.ready(0);
  unlinkSync(scene.log);
  process.kill(first.pid, 'SIGUSR1');
  await scene.follows(first.pid, first.fd as number);
  unlinkSync(scene.log);
  process.kill(first.pid, 'SIGHUP');
  const second = await scene.ready(1);
  await scene.follows(second.pid, second.fd as number);
});

test('a folder that is gone for a moment: it is told once, the old file is written on, and the new one when it can be', async () => {
  await using scene = new RotatedLog();
  const folder = join(scene.folder, 'logs');
  const aside = join(scene.folder, 'aside');
  mkdirSync(folder);
  const log = join(folder, 'app.log');
  scene.start({ LOG: log });
  const { pid, fd } = await scene.ready(0);
  renameSync(folder, aside);
  process.kill(pid, 'SIGUSR1');
  expect(await scene.event('error')).toMatchObject({ code: 'ENOENT' });
  await scene.followsFile(join(aside, 'app.log'), pid, fd as number);
  mkdirSync(folder);
  await scene.followsFile(log, pid, fd as number);
  expect(scene.told().filter(({ event }) => event === 'error')).toHaveLength(1);
});

test('in the middle of an offer the successor hears of it, before it is ready', async () => {
  await using scene = new RotatedLog();
  const wait = join(scene.folder, 'wait');
  scene.start({ MANNER: 'stdio', WAIT_BEFORE_READY: wait }, 'shell');
  const first = await scene.ready(0);
  writeFileSync(wait, '');
  process.kill(first.pid, 'SIGHUP');
  const second = await scene.event('warming-up');
  renameSync(scene.log, `${scene.log}.1`);
  process.kill(first.pid, 'SIGUSR1');
  await scene.follows(first.pid, first.fd as number, 1, 2);
  await scene.follows(second.pid, second.fd as number, 1);
  unlinkSync(wait);
  await scene.ready(1);
  await scene.follows(second.pid, second.fd as number, 1, 2);
  await scene.event('written', ({ writer }) => writer === '0');
});

test('so does one that has been started and has not said anything yet', async () => {
  await using scene = new RotatedLog();
  const wait = join(scene.folder, 'wait');
  scene.start({ MANNER: 'stdio', WAIT_BEFORE: wait }, 'shell');
  const first = await scene.ready(0);
  writeFileSync(wait, '');
  process.kill(first.pid, 'SIGHUP');
  const { pid } = await scene.event('waiting', (told) => told.pid !== first.pid);
  renameSync(scene.log, `${scene.log}.1`);
  process.kill(first.pid, 'SIGUSR1');
  await scene.follows(first.pid, first.fd as number, 1, 2);
  unlinkSync(wait);
  const second = await scene.ready(1);
  expect(second.pid).toBe(pid);
  await scene.follows(pid, second.fd as number, 1, 2);
});

test('one that drains and gets the signal itself passes it on to whoever serves', async () => {
  await using scene = new RotatedLog();
  scene.start();
  const first = await scene.ready(0);
  using _held = await HeldRequest.open(await portOf(scene));
  process.kill(first.pid, 'SIGHUP');
  const second = await scene.ready(1);
  renameSync(scene.log, `${scene.log}.1`);
  // Whoever sends it has read the PID file a moment before the handoff.
  process.kill(first.pid, 'SIGUSR1');
  await scene.follows(first.pid, first.fd as number);
  await scene.follows(second.pid, second.fd as number);
  expect(scene.told().filter(({ event }) => event === 'reopen')).toHaveLength(2);
});

test('every generation hears of it once, be its own successor gone or not', async () => {
  await using scene = new RotatedLog();
  scene.start();
  const first = await scene.ready(0);
  const port = await portOf(scene);
  using _one = await HeldRequest.open(port);
  process.kill(first.pid, 'SIGHUP');
  const second = await scene.ready(1);
  using _two = await HeldRequest.open(port);
  process.kill(second.pid, 'SIGHUP');
  const third = await scene.ready(2);
  renameSync(scene.log, `${scene.log}.1`);
  process.kill(third.pid, 'SIGUSR1');
  for (const { pid, fd } of [first, second, third]) await scene.follows(pid, fd as number);
  for (const { pid } of [first, second, third]) await scene.event('reopen', (told) => told.pid === pid);
  expect(scene.told().filter(({ event }) => event === 'reopen')).toHaveLength(3);
});

test('so does one beside another', async () => {
  await using scene = new RotatedLog();
  scene.start();
  const first = await scene.ready(0);
  process.kill(first.pid, 'SIGTTIN');
  const second = await scene.ready(1);
  for (const [round, { pid }] of [first, second].entries()) {
    renameSync(scene.log, `${scene.log}.${round + 1}`);
    process.kill(pid, 'SIGUSR1');
    await scene.follows(first.pid, first.fd as number);
    await scene.follows(second.pid, second.fd as number);
  }
});

test('so do the workers of a cluster, which the signal does not reach', async () => {
  await using scene = new RotatedLog();
  scene.start({ WORKERS: '2' });
  const first = await scene.ready(0);
  const workersTold = () => scene.told().filter(({ worker }) => worker === true);
  await expect.poll(() => workersTold().length, { timeout: 30_000 }).toBe(2);
  const workers = workersTold();
  renameSync(scene.log, `${scene.log}.1`);
  process.kill(first.pid, 'SIGUSR1');
  for (const { pid, fd } of [first, ...workers]) await scene.follows(pid, fd as number);
});
