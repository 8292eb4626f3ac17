// Story 2: a reload while ApacheBench runs. The handler takes 10 s there and a tenth of one here, so that the story need not
// wait; the shutdown's limit of 20 s is as it was.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { needs } from '../../support/needs.ts';
import { portOf } from '../../support/port-of.ts';
import { Story } from '../../support/story.ts';

const run = promisify(execFile);

const variants = [
  { signal: 'SIGHUP', signals: 'default', flags: ['-v', '-k'] },
  // As the story writes it, `-k` is the verbosity. This is what it means.
  { signal: 'SIGHUP', signals: 'default', flags: ['-v', '1', '-k'] },
  { signal: 'SIGTERM', signals: { SIGTERM: 'upgrade', SIGINT: 'shutdown' }, flags: ['-v', '-k'] },
] as const;

test.for(variants)('story 2: $signal under ab $flags', async ({ signal, signals, flags }, context) => {
  needs(context, 'ab', '-V');
  await using story = new Story();
  const first = story.start({ signals, options: { drainTimeout: 20_000 } });
  const port = await portOf(first);
  const running = run('ab', [...flags, '-c2', '-n100', `http://127.0.0.1:${port}/aa/bb?c=d&takes=100`]);
  await first.event('began');
  first.signal(signal);
  const second = await first.ready(1);
  // Both serve for a while: the new one at once, the old one what it has begun.
  await first.event('began', ({ pid }) => pid === second.pid);
  expect(await first.event('drain')).toMatchObject({ pid: first.pid, forced: 0, reason: 'handoff' });
  expect(await first.exited).toEqual({ code: 0, signal: null });
  const { stdout } = await running;
  expect(/Complete requests: +(\d+)/.exec(stdout)?.[1]).toBe('100');
  expect(/Failed requests: +(\d+)/.exec(stdout)?.[1]).toBe('0');
  expect(stdout).not.toMatch(/Non-2xx responses/);
});

test('story 2: an old process that hits its limit leaves all the same, and says so', async () => {
  await using story = new Story();
  const first = story.start({ options: { drainTimeout: 500 } });
  const port = await portOf(first);
  const hanging = ask({ port }, '/aa/bb?takes=60000').catch((error: Error) => error);
  await first.event('began');
  first.signal('SIGHUP');
  await first.ready(1);
  expect(await first.event('drain')).toMatchObject({ pid: first.pid, forced: 1 });
  await first.exited;
  expect(first.stderr).toContain('cut off');
  expect(await hanging).toBeInstanceOf(Error);
});
