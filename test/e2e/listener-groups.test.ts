// Several SO_REUSEPORT listeners on one port: each has a queue of its own, and closing one resets who waits in it.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LoadClient } from '../../bench/load-client.ts';
import { ask, askJson } from '../support/ask.ts';
import { kernelListeners, ReservedPort } from '../support/kernel-listeners.ts';
import { type Listening, listeners } from '../support/listening.ts';
import { needs } from '../support/needs.ts';
import type { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';

let scene: Scene;
let reserved: ReservedPort;
let port: number;

beforeEach((context) => {
  needs(context, 'ss', '-V');
  scene = new Scene();
  reserved = new ReservedPort();
  port = reserved.port;
});
afterEach(async () => {
  await scene[Symbol.asyncDispose]();
  reserved[Symbol.dispose]();
});

/** The environment of a server with so many listeners on the port. */
function group(members: number, options: object = {}) {
  return listeners(
    ...Array.from({ length: members }, () => ({ host: '127.0.0.1', port, reusePort: true, ...options })),
  );
}

async function namesIn(program: Program, generation: number): Promise<Listening[]> {
  return (await program.ready(generation)).listening as Listening[];
}

test('a group of 4, of which versions register 4, 2, 1 and 4, under strict load: 0 refused, 0 reset', async () => {
  const first = scene.server(group(4));
  const names = (await namesIn(first, 0)).map(({ name }) => name);
  expect(names).toEqual([1, 2, 3, 4].map((number) => `tcp-127.0.0.1-${port}${number === 1 ? '' : `#${number}`}`));
  expect(kernelListeners(port)).toHaveLength(4);

  const load = new StrictLoad(port);
  const target = `http://127.0.0.1:${port}/`;
  const crowd = new LoadClient({ target, clients: 30, mode: 'new-connection', loop: { kind: 'closed', pause: 5 } });
  crowd.start();
  let before = first;
  for (const [index, members] of [2, 1, 4].entries()) {
    const next = scene.server(group(members));
    const listening = await namesIn(next, index + 1);
    expect(listening.map(({ name, inherited }) => ({ name, inherited }))).toEqual(
      names.slice(0, members).map((name) => ({ name, inherited: true })),
    );
    await before.exited;
    await load.servedBy(next.pid);
    // None was dropped, and none was added.
    expect(kernelListeners(port)).toHaveLength(4);
    before = next;
  }
  const { total, examples } = await crowd.stop();
  expect(examples).toEqual([]);
  expect(total.failed).toBe(0);
  expect(await load.end()).toBeGreaterThan(0);
});

test('a version that wants more of them adds the rest, and takes nothing on those before it is ready', async () => {
  const first = scene.server(group(2));
  await first.ready(0);
  const load = new StrictLoad(port);
  const hanging = scene.server({ ...group(4), BEHAVIOUR: 'hang' });
  await hanging.event('hanging');
  expect(kernelListeners(port)).toHaveLength(2);
  await load.servedBy(first.pid);
  hanging.signal('SIGKILL');
  await hanging.exited;
  const second = scene.server(group(4));
  expect((await namesIn(second, 1)).map(({ inherited }) => inherited)).toEqual([true, true, false, false]);
  await first.exited;
  await load.servedBy(second.pid);
  expect(kernelListeners(port)).toHaveLength(4);
  await load.end();
});

test('members with names of their own are found by them, and one that the next version drops is served on', async () => {
  const named = (...names: string[]) =>
    listeners(...names.map((name) => ({ name, host: '127.0.0.1', port, reusePort: true })));
  const first = scene.server(named('one', 'two', 'three'));
  await first.ready(0);
  const load = new StrictLoad(port);
  const second = scene.server(named('three', 'one'));
  expect((await namesIn(second, 1)).map(({ name, inherited }) => ({ name, inherited }))).toEqual([
    { name: 'three', inherited: true },
    { name: 'one', inherited: true },
  ]);
  await first.exited;
  await load.servedBy(second.pid);
  expect(kernelListeners(port)).toHaveLength(3);
  expect(second.stderr).not.toContain('FD_HANDOFF_UNCLAIMED');
  await load.end();
});

test('processes that share one group answer beside each other, and each takes its own with it', async () => {
  const owner = scene.server(group(2));
  await owner.ready(0);
  const sharer = scene.server({ ...group(3), OPTIONS: '{"share":true}' });
  // Two copies of the owner's, and one of its own.
  expect((await namesIn(sharer, 1)).map(({ inherited }) => inherited)).toEqual([true, true, false]);
  expect(kernelListeners(port)).toHaveLength(3);
  for (const { pid } of [owner, sharer]) {
    await expect.poll(async () => (await ask({ port })).servedBy, { timeout: 30_000 }).toBe(pid);
  }
  sharer.signal('SIGTERM');
  await sharer.exited;
  expect(kernelListeners(port)).toHaveLength(2);
  expect((await ask({ port })).servedBy).toBe(owner.pid);
});

test('leaving for good answers who waits in the queues of all of them', async () => {
  const server = scene.server(group(3));
  await server.ready(0);
  const told = askJson({ port }, '/admin/shutdown-when-queued', { queued: 60 });
  await server.event('blocking');
  const answers = await Promise.all(Array.from({ length: 60 }, () => ask({ port })));
  expect(answers.every(({ servedBy }) => servedBy === server.pid)).toBe(true);
  await told;
  expect(await server.exited).toMatchObject({ code: 0 });
});
