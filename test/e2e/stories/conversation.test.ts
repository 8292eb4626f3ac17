// Story 3: a conversation over a socket file. Five seconds for the child and five for the shutdown there.
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { portOf } from '../../support/port-of.ts';
import { Story } from '../../support/story.ts';
import { StrictLoad } from '../../support/strict-load.ts';

const limits = { readyTimeout: 5_000, drainTimeout: 5_000, shutdownTimeout: 5_000 };

test('story 3: nobody to ask on a first start; then each version asks the one before for the listener', async () => {
  await using story = new Story();
  const socketFile = `${story.folder}/api.sock`;
  const env = { CONTROL: socketFile };
  expect(existsSync(socketFile)).toBe(false);
  const first = story.start({ env, options: limits });
  const port = await portOf(first);
  expect(existsSync(socketFile)).toBe(true);
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);

  // The old process starts the child, and shuts itself down only after the child has the listener.
  first.signal('SIGHUP');
  const second = await first.ready(1);
  expect(second).toMatchObject({ predecessor: { pid: first.pid }, listening: [{ port, inherited: true }] });
  await load.servedBy(second.pid);
  expect(await first.exited).toEqual({ code: 0, signal: null });

  // A child that was started by somebody else asks over the same file.
  const third = story.start({ env, options: limits, listeners: [{ port }] });
  expect(await third.ready(2)).toMatchObject({ predecessor: { pid: second.pid }, listening: [{ inherited: true }] });
  await load.servedBy(third.pid);
  expect(await load.end()).toBeGreaterThan(0);
});

test('story 3: a child that does not come in time: the old process says so and serves on', async () => {
  await using story = new Story();
  const env = { CONTROL: `${story.folder}/api.sock`, SILENT_SUCCESSOR: 'yes' };
  const first = story.start({ env, options: { ...limits, readyTimeout: 1_000 } });
  const port = await portOf(first);
  first.signal('SIGHUP');
  expect(await first.event('error')).toMatchObject({ pid: first.pid, code: 'ERR_HANDOFF_TIMEOUT' });
  expect((await ask({ port })).servedBy).toBe(first.pid);
});

test('story 3: an address that does not match is not taken: the child binds its own', async () => {
  await using story = new Story();
  const env = { CONTROL: `${story.folder}/api.sock` };
  const first = story.start({ env, options: limits, listeners: [{ name: 'api', port: 0, host: '127.0.0.1' }] });
  const port = await portOf(first);
  const path = `${story.folder}/other.sock`;
  // By its name it is the same listener somewhere else.
  const second = story.start({ env, options: limits, listeners: [{ name: 'api', path }] });
  expect(await second.ready(1)).toMatchObject({ listening: [{ path, inherited: false }] });
  expect((await ask({ socketPath: path })).servedBy).toBe(second.pid);
  await first.exited;
  await expect(ask({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('story 3: a child that wants nothing of what there is fails, and says so', async () => {
  await using story = new Story();
  const env = { CONTROL: `${story.folder}/api.sock` };
  const first = story.start({ env, options: limits, listeners: [{ port: 0, host: '127.0.0.1' }] });
  const port = await portOf(first);
  const second = story.start({ env, options: limits, listeners: [{ path: `${story.folder}/other.sock` }] });
  expect(await second.exited).toEqual({ code: 1, signal: null });
  expect(second.stderr).toContain('ERR_HANDOFF_UNCLAIMED');
  expect((await ask({ port })).servedBy).toBe(first.pid);
});

test('story 3: an address that does not match and cannot be bound: the child fails, the old process serves on', async () => {
  await using story = new Story();
  await using elsewhere = new Story();
  const taken = await portOf(elsewhere.start({ listeners: [{ port: 0, host: '127.0.0.1' }] }));
  const env = { CONTROL: `${story.folder}/api.sock` };
  const first = story.start({ env, options: limits, listeners: [{ port: 0, host: '127.0.0.1' }] });
  const port = await portOf(first);
  const second = story.start({ env, options: limits, listeners: [{ port: taken, host: '127.0.0.1' }] });
  expect(await second.exited).toEqual({ code: 1, signal: null });
  expect(second.stderr).toContain('EADDRINUSE');
  expect((await ask({ port })).servedBy).toBe(first.pid);
});
