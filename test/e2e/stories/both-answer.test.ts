// Story 6: both answer until the first is told to leave. Signals and names are Teleport's.
import { expect, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { portOf } from '../../support/port-of.ts';
import type { Program } from '../../support/program.ts';
import { Story } from '../../support/story.ts';

/** Who says hello, asked until as many have as are expected. */
async function whoSaysHello(port: number, expected: number): Promise<number[]> {
  const seen = new Set<number>();
  await expect
    .poll(async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask({ port }, '/hello')));
      for (const { text } of answers) seen.add(Number(/^Hello from (\d+)!$/.exec(text)?.[1]));
      return seen.size;
    })
    .toBe(expected);
  return [...seen].sort();
}

async function bothAnswer(story: Story): Promise<{ first: Program; second: number; port: number }> {
  const first = story.start({ signals: 'teleport', env: { CONTROL: story.control } });
  const port = await portOf(first);
  first.signal('SIGUSR2');
  const { pid: second, listening } = await first.ready(1);
  expect(listening).toMatchObject([{ port, inherited: true }]);
  expect(await whoSaysHello(port, 2)).toEqual([first.pid, second].sort());
  return { first, second, port };
}

test.each(['SIGTERM', 'SIGINT', 'SIGQUIT'] as const)(
  'story 6: SIGUSR2, then %s to the first: only the child answers; then to the child: refused',
  async (signal) => {
    await using story = new Story();
    const { first, second, port } = await bothAnswer(story);
    first.signal(signal);
    expect(await first.exited).toEqual({ code: 0, signal: null });
    for (let request = 0; request < 20; request++) {
      expect((await ask({ port }, '/hello')).text).toBe(`Hello from ${second}!`);
    }
    first.signal(signal, second);
    await expect.poll(() => ask({ port }, '/hello').catch(({ code }) => code)).toBe('ECONNREFUSED');
  },
);

test('story 6: SIGHUP forks, and the parent drains for so long at most', async () => {
  await using story = new Story();
  const first = story.start({ signals: 'teleport', options: { drainTimeout: 2_000 } });
  const port = await portOf(first);
  const tooLong = ask({ port }, '/?takes=600000').catch((error: Error) => error);
  await first.event('began');
  first.signal('SIGHUP');
  const second = await first.ready(1);
  expect((await ask({ port }, '/hello')).text).toBe(`Hello from ${second.pid}!`);
  expect(await first.event('drain')).toMatchObject({ pid: first.pid, forced: 1, reason: 'handoff' });
  expect(await tooLong).toBeInstanceOf(Error);
  await first.exited;
});

test('story 6: SIGQUIT is a graceful shutdown', async () => {
  await using story = new Story();
  const server = story.start({ signals: 'teleport' });
  const port = await portOf(server);
  const slow = ask({ port }, '/?takes=1000');
  await server.event('began');
  server.signal('SIGQUIT');
  expect(await slow).toMatchObject({ status: 200 });
  expect(await server.exited).toEqual({ code: 0, signal: null });
});

test('story 6: a child that does not say that it is ready: the parent stays', async () => {
  await using story = new Story();
  const first = story.start({
    signals: 'teleport',
    options: { readyTimeout: 1_000 },
    env: { SILENT_SUCCESSOR: 'yes' },
  });
  const port = await portOf(first);
  const failures = () => first.told.filter(({ event }) => event === 'error');
  for (const signal of ['SIGUSR2', 'SIGHUP'] as const) {
    const before = failures().length;
    first.signal(signal);
    await expect.poll(() => failures().length, { timeout: 20_000 }).toBe(before + 1);
    expect(failures()[before]).toMatchObject({ pid: first.pid, code: 'ERR_HANDOFF_TIMEOUT' });
    expect(await whoSaysHello(port, 1)).toEqual([first.pid]);
  }
});
