import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { ask } from '../support/ask.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const program = fileURLToPath(new URL('programs/leaving-server.js', import.meta.url));

function start(scene: Scene, options: object = {}, env: NodeJS.ProcessEnv = {}): Program {
  const OPTIONS = JSON.stringify(options);
  return scene.add(new Program(process.execPath, [program], { CONTROL: scene.control, OPTIONS, ...env }));
}

async function started(scene: Scene, options: object = {}, env: NodeJS.ProcessEnv = {}) {
  const server = start(scene, options, env);
  return { server, port: (await server.ready(0)).port as number };
}

/** Reads an event stream that lasts so long; resolves with all of it when it ends, and rejects when it is cut off. */
function readEvents(port: number, lasts: number): Promise<string> {
  return new Promise((resolve, reject) => {
    http
      .get({ port, path: `/events?for=${lasts}&token=secret`, agent: false }, (response) => {
        let text = '';
        response
          .setEncoding('utf8')
          .on('data', (chunk: string) => {
            text += chunk;
          })
          .on('end', () => resolve(text))
          .on('error', reject);
      })
      .on('error', reject);
  });
}

interface Closed {
  readonly code: number;
  readonly at: number;
}

/** Opens so many WebSockets; each tells when it was closed and by which code. */
async function openWebSockets(port: number, count: number): Promise<Promise<Closed>[]> {
  const closed: Promise<Closed>[] = [];
  await Promise.all(
    Array.from({ length: count }, () => {
      const client = new WebSocket(`ws://127.0.0.1:${port}`);
      client.on('error', () => {});
      closed.push(new Promise((resolve) => client.once('close', (code) => resolve({ code, at: performance.now() }))));
      return new Promise((resolve) => client.once('message', resolve));
    }),
  );
  return closed;
}

function reasons(server: Program, event = 'on-drain'): unknown[] {
  return server.told.filter((told) => told.event === event).map(({ reason }) => reason);
}

/** A thirtieth of the defaults: a stream of 45 s is one of 1.5 s here, a shutdown may take 1 s and a drain two minutes. */
const proportional = { drainTimeout: 120_000, shutdownTimeout: 1_000 };

test('an event stream that takes longer than a shutdown may survives a SIGHUP', async () => {
  await using scene = new Scene();
  const { server, port } = await started(scene, proportional);
  const stream = readEvents(port, 1_500);
  await server.event('streaming');
  server.signal('SIGHUP');
  const { pid } = await server.ready(1);
  expect((await ask({ port })).text).toBe(`${pid}`);
  expect(await stream).toMatch(new RegExp(`^data: ${server.pid}\\n.*data: last\\n\\n$`, 's'));
  expect(await server.exited).toEqual({ code: 0, signal: null });
});

test('one that is told to stop while it drains for a successor has no longer than a shutdown', async () => {
  await using scene = new Scene();
  const { server, port } = await started(scene, proportional);
  const stream = readEvents(port, 60_000).catch((error: Error) => error);
  await server.event('streaming');
  server.signal('SIGHUP');
  await server.ready(1);
  server.signal('SIGTERM');
  expect(await stream).toBeInstanceOf(Error);
  expect(await server.exited).toMatchObject({ signal: null });
  expect(server.stderr).toMatch(/1 connection\(s\) were cut off .*: 1 answer\./);
});

test.each([
  ['SIGHUP', { drainTimeout: 4_000 }, 1012],
  ['SIGTERM', { shutdownTimeout: 4_000 }, 1001],
] as const)(
  'WebSockets that %s leaves behind are told before the end, not all at once',
  async (signal, limits, code) => {
    await using scene = new Scene();
    const { server, port } = await started(scene, limits);
    const clients = await openWebSockets(port, 100);
    server.signal(signal);
    const ends = await Promise.all(clients);
    expect(ends.map((end) => end.code)).toEqual(ends.map(() => code));
    const times = ends.map(({ at }) => at).sort((one, other) => one - other);
    // A quarter and more of the time, which is 15 steps: no two thirds of them in one moment.
    expect((times[99] as number) - (times[0] as number)).toBeGreaterThan(500);
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(await server.event('drain')).toMatchObject({ forced: 0, drained: 100 });
  },
);

test('the hammer tells them, too, in its one moment', async () => {
  await using scene = new Scene();
  const { server, port } = await started(scene);
  const clients = await openWebSockets(port, 10);
  server.signal('SIGTERM');
  await server.event('on-drain');
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  server.signal('SIGTERM');
  expect(new Set((await Promise.all(clients)).map((end) => end.code))).toEqual(new Set([1001]));
  expect(await server.exited).toEqual({ code: 1, signal: null });
  expect(server.stderr).toContain('10 websockets');
});

test('those that the application closes itself keep its code', async () => {
  await using scene = new Scene();
  const { server, port } = await started(scene, {}, { ON_DRAIN: 'closes' });
  const clients = await openWebSockets(port, 10);
  server.signal('SIGHUP');
  expect(new Set((await Promise.all(clients)).map((end) => end.code))).toEqual(new Set([4000]));
  expect(await server.exited).toEqual({ code: 0, signal: null });
});

test('onDrain() is called at a handoff, again after a give-back, and not at a pause', async () => {
  await using scene = new Scene();
  const { server, port } = await started(scene, {
    signals: { SIGHUP: 'upgrade', SIGWINCH: 'pause', SIGTERM: 'shutdown' },
  });
  const stream = readEvents(port, 120_000).catch((error: Error) => error);
  await server.event('streaming');
  server.signal('SIGWINCH');
  await server.event('pause');
  server.signal('SIGHUP');
  await server.event('resume');
  expect(reasons(server)).toEqual([]);
  server.signal('SIGHUP');
  const second = await server.ready(1);
  expect(reasons(server)).toEqual(['handoff']);
  server.signal('SIGKILL', second.pid);
  await server.event('give-back');
  await ask({ port }, '/late-hook');
  expect(reasons(server, 'late')).toEqual([]);
  server.signal('SIGTERM');
  await server.event('late');
  expect(reasons(server)).toEqual(['handoff', 'shutdown']);
  server.signal('SIGKILL');
  await stream;
});

test.each(['throws', 'hangs'])('a hook of onDrain() that %s is reported, and the process leaves', async (how) => {
  await using scene = new Scene();
  const { server } = await started(scene, { shutdownTimeout: 500 }, { ON_DRAIN: how });
  server.signal('SIGTERM');
  expect(await server.exited).toEqual({ code: 0, signal: null });
  const message = how === 'throws' ? 'the hook has failed' : 'onDrain()';
  expect(await server.event('error')).toMatchObject({ message: expect.stringContaining(message) });
});

test('onDrain() is called before the process replaces its own image, and that for another process’s sake', async () => {
  await using scene = new Scene();
  const { server, port } = await started(scene);
  await ask({ port }, '/reexec').catch(() => {});
  await server.ready(1).catch(() => server.ready(0));
  expect(reasons(server)).toEqual(['handoff']);
});
