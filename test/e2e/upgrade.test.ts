import { readdirSync, readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ask, askJson } from '../support/ask.ts';
import type { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exitCode?: number | null;
  readonly stderr?: string;
}

async function started(scene: Scene, env: NodeJS.ProcessEnv = {}): Promise<{ first: Program; port: number }> {
  const first = scene.server(env);
  const { addresses } = await first.ready(0);
  return { first, port: (addresses as { port: number }[])[0]?.port as number };
}

function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

test('SIGHUP replaces the process: the successor serves on the same port and the predecessor leaves with 0', async () => {
  await using scene = new Scene();
  const { first, port } = await started(scene);
  expect((await ask({ port })).servedBy).toBe(first.pid);
  first.signal('SIGHUP');
  const { pid, predecessor, restored, counter } = await first.ready(1);
  expect(predecessor).toEqual({ pid: first.pid, generation: 0 });
  expect({ restored, counter }).toEqual({ restored: true, counter: 1 });
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(pid);
  expect(await first.event('late-state')).toMatchObject({ length: 3 });
});

test('a request in flight at the handoff is answered in full, with Connection: close', async () => {
  await using scene = new Scene();
  const { first, port } = await started(scene);
  const slow = ask({ port }, '/?until=draining&wait=100');
  await first.event('began');
  first.signal('SIGHUP');
  const { pid } = await first.ready(1);
  expect((await ask({ port })).servedBy).toBe(pid);
  expect(await slow).toMatchObject({ status: 200, servedBy: first.pid, connection: 'close' });
  expect(await first.exited).toEqual({ code: 0, signal: null });
});

test('upgrade() resolves with the pid of the successor', async () => {
  await using scene = new Scene();
  const { first, port } = await started(scene);
  const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', {});
  expect((await first.ready(1)).pid).toBe(pid);
});

const failures: { title: string; behaviour: string; expected: Partial<Failure>; stderr: RegExp }[] = [
  {
    title: 'exits before ready',
    behaviour: 'exit',
    expected: { code: 'ERR_HANDOFF_SUCCESSOR_EXITED', exitCode: 3 },
    stderr: /^$/,
  },
  {
    title: 'exits before it has said anything',
    behaviour: 'exit-at-once',
    expected: { code: 'ERR_HANDOFF_SUCCESSOR_EXITED', exitCode: 7 },
    stderr: /^$/,
  },
  {
    title: 'throws before ready',
    behaviour: 'throw',
    expected: { code: 'ERR_HANDOFF_SUCCESSOR_EXITED', exitCode: 1 },
    stderr: /thrown before ready/,
  },
  {
    title: 'throws before it has said anything',
    behaviour: 'throw-at-once',
    expected: { code: 'ERR_HANDOFF_SUCCESSOR_EXITED', exitCode: 1 },
    stderr: /thrown before anything else/,
  },
  { title: 'hangs past readyTimeout', behaviour: 'hang', expected: { code: 'ERR_HANDOFF_TIMEOUT' }, stderr: /^$/ },
];

test.each(failures)('a successor that $title: upgrade() says why, and the old process serves on', async (failure) => {
  await using scene = new Scene();
  // Short only where it is waited for.
  const readyTimeout = failure.behaviour === 'hang' ? 2_500 : 30_000;
  const { first, port } = await started(scene, { OPTIONS: JSON.stringify({ readyTimeout }) });
  const before = openDescriptors(first.pid);
  for (let attempt = 0; attempt < 3; attempt++) {
    const env = { ...environment(scene), BEHAVIOUR: failure.behaviour };
    const error = await askJson<Failure>({ port }, '/admin/upgrade', { env });
    expect(error).toMatchObject(failure.expected);
    expect(error.stderr).toMatch(failure.stderr);
    if (failure.stderr.source !== '^$') expect(error.message).toMatch(failure.stderr);
    expect((await ask({ port })).servedBy).toBe(first.pid);
  }
  expect(first.told.filter(({ event }) => event === 'rollback')).toHaveLength(3);
  expect(first.told.filter(({ event }) => event === 'commit')).toHaveLength(0);
  await expect.poll(() => openDescriptors(first.pid)).toBeLessThanOrEqual(before);

  const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', { env: environment(scene) });
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(pid);
});

test('a program that does not exist: ERR_HANDOFF_EXEC_FAILED, nothing leaked, and the next upgrade works', async () => {
  await using scene = new Scene();
  const { first, port } = await started(scene);
  const before = openDescriptors(first.pid);
  for (let attempt = 0; attempt < 20; attempt++) {
    const error = await askJson<Failure>({ port }, '/admin/upgrade', { command: '/no/such/program' });
    expect(error.code).toBe('ERR_HANDOFF_EXEC_FAILED');
    expect(error.message).toContain('/no/such/program');
  }
  await expect.poll(() => openDescriptors(first.pid)).toBeLessThanOrEqual(before);
  first.signal('SIGHUP');
  await first.ready(1);
});

test('an upgrade while an upgrade runs: ERR_HANDOFF_BUSY, for upgrade() and for a second program alike', async () => {
  await using scene = new Scene();
  const { first, port } = await started(scene);
  const upgrading = askJson<Failure>({ port }, '/admin/upgrade', { env: { ...environment(scene), BEHAVIOUR: 'hang' } });
  const hanging = await first.event('hanging');
  expect((await askJson<Failure>({ port }, '/admin/upgrade', {})).code).toBe('ERR_HANDOFF_BUSY');
  const stranger = scene.server();
  expect(await stranger.exited).toMatchObject({ code: 1 });
  expect(stranger.stderr).toContain('ERR_HANDOFF_BUSY');
  first.signal('SIGKILL', hanging.pid);
  expect((await upgrading).code).toBe('ERR_HANDOFF_SUCCESSOR_EXITED');
  expect((await ask({ port })).servedBy).toBe(first.pid);
});

test('an upgrade while an older generation still drains works', async () => {
  await using scene = new Scene();
  const { first, port } = await started(scene);
  const slow = ask({ port }, '/?until=told-to-continue');
  await first.event('began');
  const second = (await askJson<{ pid: number }>({ port }, '/admin/upgrade', {})).pid;
  const third = (await askJson<{ pid: number }>({ port }, '/admin/upgrade', {})).pid;
  expect((await ask({ port })).servedBy).toBe(third);
  first.signal('SIGCONT');
  expect(await slow).toMatchObject({ status: 200, servedBy: first.pid });
  // Not before the oldest, which may have connections to hand on.
  await first.event('gone', ({ pid }) => pid === second);
  expect((await ask({ port })).servedBy).toBe(third);
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect(first.told.some(({ event }) => event === 'give-back')).toBe(false);
});

test('a successor that dies after commit while the predecessor drains: the predecessor serves again', async () => {
  await using scene = new Scene();
  const { first, port } = await started(scene);
  const slow = ask({ port }, '/?until=give-back&wait=300');
  await first.event('began');
  const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', {});
  process.kill(pid, 'SIGKILL');
  await first.event('give-back');
  expect((await ask({ port })).servedBy).toBe(first.pid);
  expect(await slow).toMatchObject({ status: 200, servedBy: first.pid });
  // Its control path is open again, and it can be replaced again.
  const next = scene.server();
  await next.ready(1);
  expect((await ask({ port })).servedBy).toBe(next.pid);
  expect(await first.exited).toEqual({ code: 0, signal: null });
});

test('a successor that dies right after its newline, with nothing to drain here: the predecessor serves on', async () => {
  await using scene = new Scene();
  const { first, port } = await started(scene);
  for (let attempt = 0; attempt < 5; attempt++) {
    const dying = scene.server({ BEHAVIOUR: 'die-at-newline' });
    expect(await dying.exited).toMatchObject({ signal: 'SIGKILL' });
    await expect.poll(() => ask({ port }).then(({ servedBy }) => servedBy)).toBe(first.pid);
  }
  expect(first.told.filter(({ event }) => event === 'gone')).toEqual([]);
});

test('a late state of some megabytes arrives, also where there is nothing to drain', async () => {
  await using scene = new Scene();
  const { first } = await started(scene, { LATE_BYTES: String(3 * 1024 * 1024) });
  first.signal('SIGHUP');
  expect(await first.event('late-state')).toMatchObject({ length: 3 * 1024 * 1024 });
  expect(await first.exited).toEqual({ code: 0, signal: null });
});

test('a successor that is told to stop while its predecessor still drains: nothing is given back', async () => {
  await using scene = new Scene();
  const { first, port } = await started(scene, { LATE_BYTES: String(30 * 1024 * 1024) });
  const slow = ask({ port }, '/?until=told-to-continue');
  await first.event('began');
  const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', {});
  first.signal('SIGTERM', pid);
  // It waits for the one before it: a supervisor would take its end for that of the service.
  await first.event('draining', (told) => told.pid === pid);
  first.signal('SIGCONT');
  await slow;
  await first.event('gone', (told) => told.pid === pid);
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect(first.told.filter(({ event }) => event === 'give-back')).toEqual([]);
});

test('standard error: its end comes with a failed upgrade, and the successor has the real one from ready on', async () => {
  await using scene = new Scene();
  const { first, port } = await started(scene);
  const real = readlinkSync(`/proc/${first.pid}/fd/2`);
  await askJson<Failure>({ port }, '/admin/upgrade', { env: { ...environment(scene), BEHAVIOUR: 'throw' } });
  expect(first.stderr).toContain('thrown before ready');
  const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', { env: environment(scene) });
  await first.ready(1);
  await expect.poll(() => readlinkSync(`/proc/${pid}/fd/2`)).toBe(real);
});

function environment(scene: Scene): NodeJS.ProcessEnv {
  return { ...process.env, CONTROL: scene.control };
}
