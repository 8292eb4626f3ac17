import { expect, test } from 'vitest';
import { ask, askJson } from '../support/ask.ts';
import { askStatus } from '../support/ask-status.ts';
import { HeldRequest } from '../support/held-request.ts';
import { portOf } from '../support/port-of.ts';
import { RawClient } from '../support/raw-client.ts';
import { Scene } from '../support/scene.ts';

const health = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n';

test('the control path answers with the status of the process, in every phase in which it is open', async () => {
  await using scene = new Scene();
  const program = scene.daemon({ OPTIONS: '{"signals":"nginx"}' });
  const port = await portOf(program);
  expect(await askStatus(scene.control)).toMatchObject({
    pid: program.pid,
    generation: 0,
    predecessor: null,
    phase: 'serving',
    listeners: [{ port, accepting: true, connections: 0 }],
    states: ['counter', 'late'],
    control: scene.control,
  });
  program.signal('SIGWINCH');
  await program.event('pause');
  expect(await askStatus(scene.control)).toMatchObject({ phase: 'paused', listeners: [{ port, accepting: false }] });
  program.signal('SIGHUP');
  await program.event('resume');
  const hanging = scene.daemon({ BEHAVIOUR: 'hang' });
  await hanging.event('hanging');
  // Not BUSY: who looks is in nobody's way.
  expect(await askStatus(scene.control)).toMatchObject({ pid: program.pid, phase: 'offering' });
  hanging.signal('SIGKILL');
  await program.event('rollback');
  const second = scene.daemon();
  await second.ready(1);
  expect(await askStatus(scene.control)).toMatchObject({
    pid: second.pid,
    generation: 1,
    predecessor: { pid: program.pid, generation: 0 },
    phase: 'serving',
  });
});

test('status() is the same from within, and fifty at once do not disturb the service', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  const asked = await Promise.all(Array.from({ length: 50 }, () => askStatus(scene.control)));
  expect(new Set(asked.map(({ pid }) => pid))).toEqual(new Set([program.pid]));
  const { uptime: _, memory, listeners, ...inside } = await askJson<Record<string, unknown>>({ port }, '/admin/status');
  expect(asked[0]).toMatchObject(inside);
  expect(memory).toMatchObject({ rss: expect.any(Number) });
  expect(listeners).toMatchObject([{ connections: 1 }]);
});

test('health is 200 through a handoff, also from the process that hands over', async () => {
  await using scene = new Scene();
  const first = scene.server({ LISTENERS: '[{"port":0,"connections":"drain"}]' });
  const port = await portOf(first);
  using idle = await RawClient.connect(port);
  idle.send(health);
  await idle.until('"phase":"serving"');
  using held = await HeldRequest.open(port);
  first.signal('SIGHUP');
  const second = await first.ready(1);
  await first.event('draining');
  idle.send(health);
  await idle.until('"phase":"draining"');
  expect(idle.received.split('HTTP/1.1 200 OK').length).toBe(3);
  expect(await askJson({ port }, '/health')).toMatchObject({ status: 'ok', pid: second.pid, generation: 1 });
  await held.release();
});

test('health is 503 once the process leaves for good', async () => {
  await using scene = new Scene();
  const program = scene.server();
  const port = await portOf(program);
  expect(await ask({ port }, '/health')).toMatchObject({ status: 200 });
  using idle = await RawClient.connect(port);
  idle.send(health);
  await idle.until('"status":"ok"');
  using held = await HeldRequest.open(port);
  program.signal('SIGTERM');
  await program.event('draining');
  idle.send(health);
  await idle.until('503 Service Unavailable');
  await idle.until('"status":"unavailable"');
  expect((await held.release()).status).toBe(200);
  expect(await program.exited).toEqual({ code: 0, signal: null });
});

test('health is 200 in a process that leaves the service to the one beside it', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const port = await portOf(first);
  using idle = await RawClient.connect(port);
  idle.send(health);
  await idle.until('"status":"ok"');
  using held = await HeldRequest.open(port);
  first.signal('SIGUSR2');
  await first.event('commit', ({ mode }) => mode === 'keep');
  first.signal('SIGTERM');
  await first.event('draining');
  idle.send(health);
  await idle.until('"phase":"shutting-down"');
  expect(idle.received).not.toContain('503');
  await held.release();
});
