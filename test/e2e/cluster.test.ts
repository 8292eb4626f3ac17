import { rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { eventually } from '../support/eventually.ts';
import { insist } from '../support/insist.ts';
import { portOf } from '../support/port-of.ts';
import { isAlive } from '../support/processes.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';

const program = fileURLToPath(new URL('programs/cluster.js', import.meta.url));
const example = fileURLToPath(new URL('../../examples/cluster-server.js', import.meta.url));

function start(scene: Scene, env: NodeJS.ProcessEnv = {}): Program {
  const fail = join(scene.folder, 'fail');
  return scene.add(new Program(process.execPath, [program], { CONTROL: scene.control, FAIL: fail, ...env }));
}

async function workersOf(primary: Program): Promise<number[]> {
  return (await primary.ready(0)).workers as number[];
}

async function servedBy(port: number): Promise<number> {
  return (await ask({ port })).servedBy;
}

async function gone(pids: readonly number[]): Promise<void> {
  for (const pid of pids) {
    await eventually(
      () => !isAlive(pid),
      () => pid,
    );
  }
}

test('the example: primaries and workers are replaced, and nothing fails, over TCP and a Unix socket', async () => {
  await using scene = new Scene();
  const socket = join(scene.folder, 'web.sock');
  const env = { CONTROL: scene.control, PORT: '0', SOCKET: socket, WORKERS: '2' };
  const first = scene.add(new Program(process.execPath, [example], env));
  const { port, workers } = (await first.ready(0)) as unknown as { port: number; workers: number[] };
  const loads = [new StrictLoad(port), new StrictLoad(socket)];
  const serve = async (pids: readonly number[]) => {
    for (const load of loads) await load.servedBy(...pids);
  };
  await serve(workers);

  const rolls = () => first.told.filter(({ event }) => event === 'rolled');
  let primary = first.pid;
  let before = workers;
  for (let generation = 1; generation <= 3; generation++) {
    first.signal('SIGUSR2', primary);
    await expect.poll(rolls, { timeout: 30_000 }).toHaveLength(generation);
    const rolled = rolls().at(-1)?.workers as number[];
    expect(rolled).toHaveLength(2);
    expect(rolled.filter((pid) => before.includes(pid))).toEqual([]);
    await serve(rolled);

    first.signal('SIGHUP', primary);
    const next = (await first.ready(generation)) as unknown as { pid: number; workers: number[] };
    await serve(next.workers);
    await gone([primary, ...rolled]);
    primary = next.pid;
    before = next.workers;
  }
  for (const load of loads) expect(await load.end()).toBeGreaterThan(200);
  expect(first.told.filter(({ event }) => event === 'error' || event === 'not-rolled')).toEqual([]);
  first.signal('SIGTERM', primary);
  await gone([primary, ...before]);
});

test('a worker knows its place: who its primary is, and that it is not the one to be replaced', async () => {
  await using scene = new Scene();
  const primary = start(scene);
  for (const pid of await workersOf(primary)) {
    expect(await primary.event('worker-ready', (told) => told.pid === pid)).toMatchObject({
      generation: 1,
      predecessor: { pid: primary.pid, generation: 0 },
      upgrade: 'ERR_HANDOFF_REFUSED',
    });
  }
});

test('a worker that dies is replaced, and one that cannot start does not spin', async () => {
  await using scene = new Scene();
  const fail = join(scene.folder, 'fail');
  const primary = start(scene);
  const port = await portOf(primary);
  const [victim, other] = (await workersOf(primary)) as [number, number];
  writeFileSync(fail, '');
  process.kill(victim, 'SIGKILL');
  const failures = () => primary.told.filter(({ stderr }) => String(stderr).includes('the worker cannot start'));
  await expect.poll(() => failures().length, { timeout: 30_000 }).toBeGreaterThanOrEqual(3);
  expect(primary.told.find(({ event }) => event === 'error')).toMatchObject({
    code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
    message: `The worker (process ${victim}) exited by SIGKILL. Another one is started in 100 ms.`,
  });
  expect(await servedBy(port)).toBe(other);
  rmSync(fail);
  const next = await primary.event('worker-ready', ({ pid }) => pid !== victim && pid !== other);
  await expect.poll(() => servedBy(port), { timeout: 30_000 }).toBe(next.pid);
});

test('a roll whose new worker fails ends there, with the reason, and nothing fails', async () => {
  await using scene = new Scene();
  const fail = join(scene.folder, 'fail');
  const primary = start(scene);
  const port = await portOf(primary);
  const before = await workersOf(primary);
  const load = new StrictLoad(port);
  await load.servedBy(...before);
  writeFileSync(fail, '');
  primary.signal('SIGUSR2');
  const failure = await primary.event('not-rolled');
  expect(failure).toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED' });
  expect(failure.stderr).toContain('the worker cannot start');
  expect(before.every(isAlive)).toBe(true);

  // And so does an upgrade: a primary without workers is not ready.
  primary.signal('SIGHUP');
  expect((await primary.event('no-workers')).message).toContain('the worker cannot start');
  await primary.event('rollback');
  expect(before.every(isAlive)).toBe(true);

  rmSync(fail);
  primary.signal('SIGUSR2');
  await load.servedBy(...((await primary.event('rolled')).workers as number[]));
  await load.end();
});

test('workers whose primary is killed finish what they have, leave, and the port is free', async () => {
  await using scene = new Scene();
  const primary = start(scene);
  const port = await portOf(primary);
  const workers = await workersOf(primary);
  const slow = ask({ port }, '/?wait=1500');
  await primary.event('began');
  primary.signal('SIGKILL');
  await eventually(() => primary.told.filter(({ event }) => event === 'worker-draining').length === 2);
  const next = start(scene, { ADDRESS: JSON.stringify({ port }) });
  await next.ready(0);
  expect((await slow).status).toBe(200);
  await gone(workers);
  await eventually(() => primary.told.filter(({ event }) => event === 'worker-gone').length === 2);
});

test('a signal to the whole process group ends it once: what is in flight is answered, and nobody is started again', async () => {
  await using scene = new Scene();
  const primary = start(scene);
  const port = await portOf(primary);
  const workers = await workersOf(primary);
  // Idle, and kept for 20 s by the server: where nobody serves on, a shutdown does not wait for that.
  const agent = new Agent({ keepAlive: true });
  await new Promise((resolve) => get({ port, agent }, (response) => response.resume().on('end', resolve)));
  const slow = ask({ port }, '/?wait=500');
  await primary.event('began');
  const begun = performance.now();
  for (const pid of [...workers, primary.pid]) process.kill(pid, 'SIGINT');
  expect((await slow).status).toBe(200);
  expect(await primary.exited).toEqual({ code: 0, signal: null });
  expect(performance.now() - begun).toBeLessThan(15_000);
  agent.destroy();
  expect(primary.told.filter(({ event }) => event === 'worker-ready')).toHaveLength(2);
  expect(workers.some(isAlive)).toBe(false);
});

test('a signal that reaches primary and workers more than once cuts nothing off', async () => {
  await using scene = new Scene();
  const primary = start(scene);
  const port = await portOf(primary);
  const workers = await workersOf(primary);
  const slow = ask({ port }, '/?wait=1000');
  await primary.event('began');
  // As a terminal and npm do, or systemd's KillMode=control-group with a launcher in front.
  for (let time = 0; time < 3; time++) {
    for (const pid of [primary.pid, ...workers]) process.kill(pid, 'SIGINT');
    await delay(10);
  }
  expect((await slow).status).toBe(200);
  expect(await primary.exited).toEqual({ code: 0, signal: null });
  expect(await primary.event('drain', ({ pid }) => pid === primary.pid)).toMatchObject({ forced: 0 });
});

test('a primary that announces its end serves on, although its workers were told as well', async () => {
  await using scene = new Scene();
  const primary = start(scene, { OPTIONS: '{"shutdownDelay":3000}' });
  const port = await portOf(primary);
  const workers = await workersOf(primary);
  for (const pid of [primary.pid, ...workers]) process.kill(pid, 'SIGTERM');
  // Others are started in their places, for as long as the primary serves.
  for (const pid of workers) await primary.event('worker-draining', (told) => told.pid === pid);
  expect(workers).not.toContain((await ask({ port })).servedBy);
  expect(await primary.exited).toEqual({ code: 0, signal: null });
});

test('the hammer reaches the workers', async () => {
  await using scene = new Scene();
  const primary = start(scene);
  const port = await portOf(primary);
  const slow = ask({ port }, '/?wait=60000').catch(({ code }) => code);
  await primary.event('began');
  primary.signal('SIGTERM');
  await insist(primary, 'SIGTERM', primary.event('worker-draining'));
  expect(await slow).toBe('ECONNRESET');
  expect(await primary.exited).toEqual({ code: 1, signal: null });
});

test('a worker that is told to stop by a signal finishes what it has, and is replaced', async () => {
  await using scene = new Scene();
  const primary = start(scene);
  const port = await portOf(primary);
  const workers = await workersOf(primary);
  const load = new StrictLoad(port);
  await load.servedBy(...workers);
  process.kill(workers[0] as number, 'SIGTERM');
  const next = await primary.event('worker-ready', ({ pid }) => !workers.includes(pid));
  await expect.poll(() => servedBy(port), { timeout: 30_000 }).toBe(next.pid);
  await gone(workers.slice(0, 1));
  await load.end();
  expect(primary.told.filter(({ event }) => event === 'error')).toEqual([]);
});

test('a successor that dies while the old workers drain: the old primary serves again, with new workers', async () => {
  await using scene = new Scene();
  const primary = start(scene);
  const port = await portOf(primary);
  const workers = await workersOf(primary);
  const slow = ask({ port }, '/?wait=3000');
  await primary.event('began');
  primary.signal('SIGHUP');
  const next = await primary.ready(1);
  process.kill(next.pid, 'SIGKILL');
  await primary.event('give-back');
  const earlier = [...workers, ...(next.workers as number[])];
  const again = await primary.event('worker-ready', ({ pid }) => !earlier.includes(pid));
  expect(again.predecessor).toMatchObject({ pid: primary.pid });
  await expect.poll(() => servedBy(port), { timeout: 30_000 }).toBe(again.pid);
  expect((await slow).status).toBe(200);
});

test('a primary that re-executes keeps its pid, and nobody is refused', async () => {
  await using scene = new Scene();
  const primary = start(scene);
  const port = await portOf(primary);
  const workers = await workersOf(primary);
  const load = new StrictLoad(port);
  await load.servedBy(...workers);
  primary.signal('SIGWINCH');
  const next = await primary.ready(1);
  expect(next.pid).toBe(primary.pid);
  await load.servedBy(...(next.workers as number[]));
  await load.end();
});

test('a primary that pauses has no workers, who connects waits, and new ones come when it resumes', async () => {
  await using scene = new Scene();
  const primary = start(scene);
  const port = await portOf(primary);
  const workers = await workersOf(primary);
  primary.signal('SIGTTIN');
  await gone(workers);
  const waiting = ask({ port });
  primary.signal('SIGHUP');
  await primary.event('resume');
  const { servedBy } = await waiting;
  expect(workers).not.toContain(servedBy);
  expect(await primary.event('worker-ready', ({ pid }) => pid === servedBy)).toMatchObject({
    predecessor: { pid: primary.pid },
  });
});

test('a worker of a plain cluster.fork(), or one that listens where nothing is held, is told what to do', async () => {
  await using scene = new Scene();
  const plain = start(scene, { PLAIN: '1' });
  await plain.exited;
  expect(plain.stderr).toContain('ERR_HANDOFF_UNSUPPORTED_PLATFORM');
  expect(plain.stderr).toContain('hold() and workers()');
  const elsewhere = start(scene, { WORKER_ADDRESS: '{"name":"other","port":1}' });
  expect(await elsewhere.exited).toMatchObject({ code: 4 });
  expect((await elsewhere.event('no-workers')).message).toContain('call hold({ port: 1 }) there before workers()');
});
