// Story 9: not a restart at all: a load balancer takes the machine out, or Kubernetes replaces the pod.
import { expect, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { portOf } from '../../support/port-of.ts';
import { Story } from '../../support/story.ts';
import { StrictLoad } from '../../support/strict-load.ts';

const health = async (port: number) => (await ask({ port }, '/health')).status;

test('story 9: a handoff is not a shutdown: the readiness answer is 200 throughout', async () => {
  await using story = new Story();
  const first = story.start();
  const port = await portOf(first);
  const inFlight = ask({ port }, '/?takes=1000');
  await first.event('began');
  expect(await health(port)).toBe(200);
  first.signal('SIGHUP');
  await first.event('commit');
  expect(await health(port)).toBe(200);
  expect(await inFlight).toMatchObject({ status: 200 });
  expect(await health(port)).toBe(200);
});

test('story 9: told to leave, it says so for as long as the load balancer needs, and serves on meanwhile', async () => {
  await using story = new Story();
  const server = story.start({ options: { shutdownDelay: 3_000 } });
  const port = await portOf(server);
  const load = new StrictLoad(port);
  await load.servedBy(server.pid);
  const slow = ask({ port }, '/?takes=4000');
  await server.event('began');
  server.signal('SIGTERM');
  await expect.poll(() => health(port)).toBe(503);
  // Whoever has not heard of it yet is served as before; then nobody comes any more.
  expect(await ask({ port })).toMatchObject({ status: 200 });
  expect(await load.end()).toBeGreaterThan(0);
  expect(await slow).toMatchObject({ status: 200, servedBy: server.pid });
  expect(await server.exited).toEqual({ code: 0, signal: null });
});

test('story 9: the drain has its deadline there too', async () => {
  await using story = new Story();
  const server = story.start({ options: { shutdownDelay: 100, shutdownTimeout: 500 } });
  const port = await portOf(server);
  const hanging = ask({ port }, '/?takes=600000').catch((error: Error) => error);
  await server.event('began');
  server.signal('SIGTERM');
  expect(await hanging).toBeInstanceOf(Error);
  expect(await server.exited).toEqual({ code: 1, signal: null });
});
