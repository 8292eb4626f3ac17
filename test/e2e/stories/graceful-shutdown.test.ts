// Story 5: only a graceful shutdown, within 5 s there, within 2 s here.
import { expect, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { portOf } from '../../support/port-of.ts';
import { Story } from '../../support/story.ts';

const limit = 2_000;

test('story 5: SIGINT stops accepting, finishes within the limit, and leaves', async () => {
  await using story = new Story();
  const server = story.start({ options: { shutdownTimeout: 20_000 } });
  const port = await portOf(server);
  const inTime = ask({ port }, '/?takes=1000');
  await server.event('began');
  server.signal('SIGINT');
  await expect.poll(() => ask({ port }).catch(({ code }) => code)).toBe('ECONNREFUSED');
  expect(await inTime).toMatchObject({ status: 200, servedBy: server.pid });
  expect(await server.exited).toEqual({ code: 0, signal: null });
});

test('story 5: a request that needs longer is cut at the limit; the process says so and exits non-zero', async () => {
  await using story = new Story();
  const server = story.start({ options: { shutdownTimeout: limit } });
  const port = await portOf(server);
  const tooLong = ask({ port }, '/?takes=60000').catch((error: Error) => error);
  await server.event('began');
  server.signal('SIGINT');
  expect(await tooLong).toMatchObject({ code: 'ECONNRESET' });
  expect(await server.exited).toEqual({ code: 1, signal: null });
  expect(await server.event('drain')).toMatchObject({ forced: 1, reason: 'shutdown' });
  expect(server.stderr).toMatch(/1 connection\(s\) were cut off .* after \d+ ms/);
});
