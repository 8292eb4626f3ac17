// HAProxy (Debian's) and a Node server that takes its listeners over.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, type TestContext, test } from 'vitest';
import { takeFromHaproxy } from '../../../lib/haproxy/index.ts';
import { ask } from '../../support/ask.ts';
import { freePort } from '../../support/free-port.ts';
import { needs } from '../../support/needs.ts';
import { Program } from '../../support/program.ts';
import { Scene } from '../../support/scene.ts';
import { StrictLoad } from '../../support/strict-load.ts';

const needsHaproxy = (context: TestContext) => needs(context, 'haproxy', '-v');
const heirProgram = fileURLToPath(new URL('../programs/haproxy-heir.js', import.meta.url));

interface Stage {
  /** What was started: HAProxy, or its master. */
  readonly haproxy: Program;
  /** The process that answers. */
  readonly pid: number;
  readonly port: number;
  readonly stats: string;
}

/** A HAProxy that answers by itself, and says which process does; `binds` are more of its listeners. */
async function start(
  scene: Scene,
  {
    args = [],
    binds = [],
    expose = 'expose-fd listeners',
  }: { args?: readonly string[]; binds?: readonly string[]; expose?: string } = {},
): Promise<Stage> {
  const port = await freePort();
  const stats = join(scene.folder, 'stats.sock');
  const configuration = join(scene.folder, 'haproxy.cfg');
  const lines = [
    'global',
    `  stats socket ${stats} mode 600 level admin ${expose}`,
    'defaults',
    '  mode http',
    '  timeout client 30s',
    '  timeout server 30s',
    '  timeout connect 5s',
    // Without it HAProxy closes idle connections when it leaves, and says nothing of it before.
    '  option httpclose',
    'frontend web',
    `  bind 127.0.0.1:${port}`,
    ...binds.map((bind) => `  bind ${bind}`),
    '  http-request return status 200 content-type text/plain string "hello\\n" hdr x-served-by %pid',
  ];
  writeFileSync(configuration, `${lines.join('\n')}\n`);
  const haproxy = scene.add(new Program('haproxy', [...args, '-f', configuration], {}));
  await expect
    .poll(() =>
      ask({ port }).then(
        ({ status }) => status,
        () => null,
      ),
    )
    .toBe(200);
  const pid = (await ask({ port })).servedBy;
  // What the test ends where it fails.
  haproxy.pids.add(pid);
  return { haproxy, pid, port, stats };
}

function heir(scene: Scene, { port, stats }: Stage, env: NodeJS.ProcessEnv = {}): Program {
  const settings = { CONTROL: scene.control, PORT: String(port), STATS: stats, ...env };
  return scene.add(new Program(process.execPath, [heirProgram], settings));
}

test.for([
  { title: 'by itself', args: [] },
  { title: 'under a master', args: ['-W'] },
])(
  'a Node server takes over from HAProxy $title, and is replaced by its next version, under strict load',
  async ({ args }, context) => {
    needsHaproxy(context);
    await using scene = new Scene();
    const stage = await start(scene, { args });
    const { haproxy, pid, port } = stage;
    const load = new StrictLoad(port);
    await load.servedBy(pid);
    const first = heir(scene, stage);
    expect(await first.event('taken')).toMatchObject({ from: pid, sockets: 1 });
    expect(await first.ready(0)).toMatchObject({ listening: { port, inherited: true } });
    expect(await haproxy.exited).toEqual({ code: 0, signal: null });
    await load.servedBy(first.pid);
    // The same program again, when there is no HAProxy any more.
    const second = heir(scene, stage);
    expect(await second.event('taken')).toMatchObject({ from: null, sockets: 0 });
    expect(await second.ready(1)).toMatchObject({ listening: { port, inherited: true } });
    expect(await first.exited).toEqual({ code: 0, signal: null });
    await load.servedBy(second.pid);
    console.log(`${await load.end()} requests, 0 failed`);
  },
);

test('a Node server that fails before it is ready leaves HAProxy as it was', async (context) => {
  needsHaproxy(context);
  await using scene = new Scene();
  const stage = await start(scene);
  const load = new StrictLoad(stage.port);
  await load.servedBy(stage.haproxy.pid);
  const failing = heir(scene, stage, { BEHAVIOUR: 'fail' });
  expect(await failing.exited).toEqual({ code: 1, signal: null });
  expect((await ask(stage)).servedBy).toBe(stage.haproxy.pid);
  await load.end();
  // It can be asked again.
  await heir(scene, stage).ready(0);
  expect(await stage.haproxy.exited).toEqual({ code: 0, signal: null });
});

test('three hundred listeners come in two messages; those at paths are left out', async (context) => {
  needsHaproxy(context);
  await using scene = new Scene();
  const base = await freePort();
  const binds = [`127.0.0.2:${base}-${base + 298}`, `unix@${join(scene.folder, 'web.sock')}`];
  const { haproxy, port, stats } = await start(scene, { binds });
  using taken = await takeFromHaproxy(stats);
  expect(taken?.pid).toBe(haproxy.pid);
  expect(taken?.sockets).toHaveLength(300);
  expect(new Set(taken?.sockets.map(({ name }) => name))).toEqual(new Set(['haproxy']));
  expect((await ask({ port })).servedBy).toBe(haproxy.pid);
});

test('one that does not expose its listeners, and one that is not there', async (context) => {
  needsHaproxy(context);
  await using scene = new Scene();
  const { stats } = await start(scene, { expose: '' });
  await expect(takeFromHaproxy(stats)).rejects.toMatchObject({
    code: 'ERR_HANDOFF_REFUSED',
    message: expect.stringContaining('expose-fd listeners'),
  });
  expect(await takeFromHaproxy(join(scene.folder, 'nobody.sock'))).toBeNull();
});
