import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { askStatus } from '../../lib/transaction/visits/status-inquiry.ts';
import { ask } from '../support/ask.ts';
import { runCommand } from '../support/command.ts';
import { isAlive } from '../support/processes.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const program = fileURLToPath(new URL('programs/leaving-server.js', import.meta.url));

function start(scene: Scene, options: object = {}): Program {
  const env = { CONTROL: scene.control, OPTIONS: JSON.stringify(options) };
  return scene.add(new Program(process.execPath, [program], env));
}

interface Draining {
  readonly pid: number;
  readonly generation: number;
  readonly since: string | null;
  readonly waitsFor: 'silent' | 'unasked' | { kinds: object; connections: number; answers: { path: string }[] };
}

async function draining(scene: Scene): Promise<Draining[]> {
  return (await askStatus(scene.control, 10_000)).draining as unknown as Draining[];
}

/** An event stream that goes on until its end is made. */
async function holdStream(
  scene: Scene,
  server: Program,
  port: number,
): Promise<{ end: () => void; cut: Promise<void> }> {
  const before = server.told.filter(({ event }) => event === 'streaming').length;
  const request = http.get({ port, path: '/events?for=600000&token=secret', agent: false });
  const cut = new Promise<void>((resolve) => request.once('close', resolve));
  request.on('error', () => {}).on('response', (response) => response.resume().on('error', () => {}));
  await expect
    .poll(() => server.told.filter(({ event }) => event === 'streaming').length, { timeout: 20_000 })
    .toBe(before + 1);
  scene.add({ end: async () => void request.destroy() });
  return { end: () => request.destroy(), cut };
}

/** Three generations that drain and one that serves: by a signal, by a separate start, by a signal. */
async function threeDraining(scene: Scene) {
  const first = start(scene);
  const port = (await first.ready(0)).port as number;
  const streams = [await holdStream(scene, first, port)];
  first.signal('SIGHUP');
  const second = await first.ready(1);
  streams.push(await holdStream(scene, first, port));
  const third = start(scene);
  await third.ready(2);
  streams.push(await holdStream(scene, third, port));
  third.signal('SIGHUP');
  const fourth = await third.ready(3);
  return { first, third, port, streams, pids: [first.pid, second.pid, third.pid, fourth.pid] as const };
}

test('status shows every generation that drains, and what it waits for; one is hammered, the others go on', async () => {
  await using scene = new Scene();
  const { streams, pids } = await threeDraining(scene);
  await expect
    .poll(async () => (await draining(scene)).map(({ pid, generation }) => [pid, generation]), { timeout: 20_000 })
    .toEqual([
      [pids[0], 0],
      [pids[1], 1],
      [pids[2], 2],
    ]);
  for (const { waitsFor, since } of await draining(scene)) {
    expect(waitsFor).toMatchObject({ connections: 1, kinds: { answer: 1 }, answers: [{ path: '/events' }] });
    expect(Date.parse(since as string)).toBeGreaterThan(Date.now() - 60_000);
  }
  const { stdout } = await runCommand(['status', scene.control]);
  expect(stdout).not.toContain('secret');
  for (const pid of pids) expect(stdout).toContain(String(pid));
  expect(stdout).toContain('/events for');

  const unclear = await runCommand(['hammer', scene.control]);
  expect(unclear).toMatchObject({ code: 1, stderr: expect.stringContaining('not clear') });
  const serving = await runCommand(['hammer', scene.control, '--pid', String(pids[3])]);
  expect(serving).toMatchObject({ code: 1, stderr: expect.stringContaining('--serving') });
  const nobody = await runCommand(['hammer', scene.control, '--generation', '7']);
  expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('no generation 7') });
  // The one in the middle: those before it stay known.
  expect(await runCommand(['hammer', scene.control, '--generation', '1'])).toMatchObject({ code: 0 });
  await streams[1]?.cut;
  expect(isAlive(pids[1])).toBe(false);
  await expect
    .poll(async () => (await draining(scene)).map(({ pid }) => pid), { timeout: 20_000 })
    .toEqual([pids[0], pids[2]]);
  expect(await runCommand(['hammer', scene.control, '--pid', String(pids[0]), '--json'])).toMatchObject({
    code: 0,
    stdout: `${JSON.stringify({ pid: pids[0], generation: 0 })}\n`,
  });
  // The only one that is left.
  expect(await runCommand(['hammer', scene.control])).toMatchObject({ code: 0 });
  expect(await draining(scene)).toEqual([]);
  expect(isAlive(pids[3])).toBe(true);
});

test('one that is stopped is shown as such and cannot be hammered; those around it are', async () => {
  await using scene = new Scene();
  const { pids } = await threeDraining(scene);
  await expect.poll(async () => (await draining(scene)).length, { timeout: 20_000 }).toBe(3);
  process.kill(pids[1], 'SIGSTOP');
  await expect
    .poll(async () => (await draining(scene)).map(({ pid, waitsFor }) => [pid, typeof waitsFor]), { timeout: 20_000 })
    .toEqual([
      [pids[0], 'object'],
      [pids[1], 'string'],
      [pids[2], 'object'],
    ]);
  const { code, stderr } = await runCommand(['hammer', scene.control, '--pid', String(pids[1])]);
  expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('kill -KILL') });
  expect(await runCommand(['hammer', scene.control, '--pid', String(pids[0])])).toMatchObject({ code: 0 });
  process.kill(pids[1], 'SIGKILL');
});

test('across a re-exec of the one that serves they stay known', async () => {
  await using scene = new Scene();
  const first = start(scene);
  const port = (await first.ready(0)).port as number;
  await holdStream(scene, first, port);
  first.signal('SIGHUP');
  const second = await first.ready(1);
  await ask({ port }, '/reexec').catch(() => {});
  await first.ready(2);
  await expect
    .poll(async () => (await draining(scene)).map(({ pid, generation }) => [pid, generation]), { timeout: 20_000 })
    .toEqual([[first.pid, 0]]);
  expect((await askStatus(scene.control, 10_000)).pid).toBe(second.pid);
});

test('when the one that serves is told to stop, those that drain have no longer than it, and it waits for them', async () => {
  await using scene = new Scene();
  const first = start(scene, { shutdownTimeout: 1_000 });
  const port = (await first.ready(0)).port as number;
  const stream = await holdStream(scene, first, port);
  first.signal('SIGHUP');
  const second = await first.ready(1);
  first.signal('SIGTERM', second.pid);
  await stream.cut;
  expect(await first.exited).toMatchObject({ signal: null });
  await expect.poll(() => isAlive(second.pid), { timeout: 20_000 }).toBe(false);
});

test('the one that serves can be hammered where that is said', async () => {
  await using scene = new Scene();
  const server = start(scene);
  const port = (await server.ready(0)).port as number;
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  const closed = new Promise((resolve) => client.once('close', resolve));
  await new Promise((resolve) => client.once('message', resolve));
  expect(await runCommand(['hammer', scene.control, '--pid', String(server.pid), '--serving'])).toMatchObject({
    code: 0,
  });
  expect(await closed).toBe(1001);
  expect(await server.exited).toMatchObject({ code: 1 });
});
