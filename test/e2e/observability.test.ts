import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { LoadClient } from '../../bench/load-client.ts';
import { ask } from '../support/ask.ts';
import { HeldRequest } from '../support/held-request.ts';
import { readPage } from '../support/page.ts';
import { Program, type Told } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const observed = fileURLToPath(new URL('programs/observed.js', import.meta.url));
const example = fileURLToPath(new URL('../../examples/opentelemetry.js', import.meta.url));

/** The table of docs/observability.md: each channel with the fields of its messages. */
function documented(): Map<string, string[]> {
  const rows = readPage('docs/observability.md').text.matchAll(/^\| `(fd-handoff:[\w-]+)` \|([^|]*)\|/gm);
  return new Map(
    [...rows].map(([, channel = '', fields = '']) => {
      const named = [...fields.matchAll(/`(\w+)`/g)].map(([, field]) => field as string);
      return [channel, (channel === 'fd-handoff:frame' ? named : [...named, 'handoff']).sort()];
    }),
  );
}

const channels = documented();

function start(scene: Scene, env: NodeJS.ProcessEnv = {}): Program {
  const own = { CHANNELS: JSON.stringify([...channels.keys()]), CONTROL: scene.control, ...env };
  return scene.add(new Program(process.execPath, [observed], own));
}

/** What a program has told of its messages, by their channel. */
function published(program: Program): Map<string, string[]> {
  const messages = program.told.filter(({ event }) => event === 'published');
  return new Map(messages.map(({ channel, fields }) => [channel as string, (fields as string[]).sort()]));
}

function isOn(channel: string): (told: Told) => boolean {
  return (told) => told.channel === channel;
}

test('each channel publishes what docs/observability.md says', async () => {
  await using scene = new Scene();
  const first = start(scene);
  const { port } = (await first.ready(0)) as unknown as { port: number };

  const stranger = net.connect(scene.control, () => stranger.end('no frame at all'));
  await first.event('published', isOn('fd-handoff:refusal'));
  first.signal('SIGUSR2');
  await first.event('published', isOn('fd-handoff:reopen'));
  first.signal('SIGCONT');
  await first.event('published', isOn('fd-handoff:resume'));
  await start(scene, { BEHAVIOUR: 'throw' }).exited;
  await first.event('published', isOn('fd-handoff:rollback'));
  {
    // What it still has to answer keeps it until its successor has died.
    using held = await HeldRequest.open(port, '/');
    await start(scene, { BEHAVIOUR: 'die' }).exited;
    await first.event('published', isOn('fd-handoff:give-back'));
    expect(await held.release()).toMatchObject({ status: 200, servedBy: first.pid });
  }
  first.child.stderr?.destroy();
  await ask({ port }, '/talk');
  await first.event('published', isOn('fd-handoff:output'));
  first.signal('SIGHUP');
  await first.ready(1);
  await first.exited;

  expect(published(first)).toEqual(channels);
});

test('health answers 200 all through five upgrades under load: a handoff is not a shutdown', async () => {
  await using scene = new Scene();
  const first = start(scene, { CHANNELS: '[]' });
  const { port } = (await first.ready(0)) as unknown as { port: number };
  const target = `http://127.0.0.1:${port}/healthz`;
  const loop = { kind: 'closed', pause: 5 } as const;
  const loads = [
    new LoadClient({ target, clients: 10, mode: 'keep-alive', loop }),
    new LoadClient({ target, clients: 5, mode: 'new-connection', loop }),
  ];
  for (const load of loads) load.start();
  const pids = [first.pid];
  for (let generation = 1; generation <= 5; generation++) {
    first.signal('SIGHUP', pids.at(-1));
    const { pid } = await first.ready(generation);
    pids.push(pid);
    await expect.poll(() => loads[1]?.snapshot().total.servedBy[pid] ?? 0, { timeout: 30_000 }).toBeGreaterThan(0);
  }
  const reports = await Promise.all(loads.map((load) => load.stop()));
  for (const { examples, total } of reports) {
    expect(examples).toEqual([]);
    expect(total.failed).toBe(0);
    expect(total.requests).toBeGreaterThan(50);
  }
});

test('the example makes spans and metrics of an upgrade, of a failure, and of a shutdown', async () => {
  await using scene = new Scene();
  const first = scene.add(new Program(process.execPath, [example], { CONTROL: scene.control, PORT: '0' }));
  const { port } = (await first.ready(0)) as unknown as { port: number };
  const failed = start(scene, { BEHAVIOUR: 'throw', CHANNELS: '[]' });
  await failed.exited;
  const offer = await first.event('told', ({ span }) => span === 'fd-handoff.offer');
  expect(offer).toMatchObject({ error: expect.stringMatching(/^The successor .*closed/), 'fd_handoff.to': 'serving' });
  first.signal('SIGHUP');
  const second = await first.ready(1);
  await first.exited;
  expect((await ask({ port })).text).toBe(`hello from ${second.pid}\n`);
  first.signal('SIGTERM', second.pid);
  await first.event('told', ({ pid, span }) => pid === second.pid && span === 'fd-handoff.shutdown');

  const told = (pid: number) => first.told.filter((line) => line.event === 'told' && line.pid === pid);
  const spans = (pid: number) => told(pid).flatMap(({ span }) => (span === undefined ? [] : [span]));
  expect(spans(first.pid)).toEqual([
    'fd-handoff.take-over',
    'fd-handoff.offer',
    'fd-handoff.offer',
    'fd-handoff.drain',
  ]);
  expect(spans(second.pid)).toEqual(['fd-handoff.take-over', 'fd-handoff.shutdown']);
  const [, , upgrade] = told(first.pid).filter(({ span }) => span !== undefined);
  expect(upgrade).toMatchObject({
    events: ['welcomed', 'descriptors-received', 'state-sent', 'ready'],
    'fd_handoff.to': 'draining',
    'fd_handoff.generation': 0,
  });
  const metrics = told(first.pid).filter(({ metric }) => metric !== undefined);
  expect(metrics).toEqual([
    expect.objectContaining({ metric: 'fd_handoff.handoffs', value: 1, outcome: 'rollback' }),
    expect.objectContaining({ metric: 'fd_handoff.handoffs', value: 1, outcome: 'commit', mode: 'replace' }),
    expect.objectContaining({ metric: 'fd_handoff.drain.duration', reason: 'handoff' }),
    expect.objectContaining({ metric: 'fd_handoff.connections', fate: 'moved' }),
    expect.objectContaining({ metric: 'fd_handoff.connections', fate: 'drained' }),
    expect.objectContaining({ metric: 'fd_handoff.connections', fate: 'forced' }),
  ]);
});
