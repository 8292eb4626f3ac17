import http from 'node:http';
import net from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { type Handoff, handoff } from '../../lib/index.ts';

let app: Handoff | null = null;

afterEach(async () => {
  app?.hammer();
  await app?.closed;
  app = null;
});

/** In this very process: it has no control path, hears no signals, and stays when it is drained. */
async function alone(): Promise<Handoff> {
  app = await handoff({ signals: false, exit: false, systemd: false });
  return app;
}

it('ready() a second time is told which phase it is', async () => {
  const own = await alone();
  await own.ready();
  await expect(own.ready()).rejects.toMatchObject({
    code: 'ERR_HANDOFF_NOT_READY',
    message: 'ready() was called twice: this process is serving.',
  });
});

it('pause() and resume() are done when it is so already', async () => {
  const own = await alone();
  await own.ready();
  await own.resume();
  await own.pause();
  await own.pause();
  await own.resume();
  expect(own.status()).toMatchObject({ phase: 'serving' });
});

it('a connection is moved from the commit on, not before', async () => {
  const own = await alone();
  await own.ready();
  await expect(own.move('raw', new net.Socket())).rejects.toMatchObject({ code: 'ERR_HANDOFF_NOT_READY' });
});

it.each([
  [{ timeout: -1 }, 'ERR_OUT_OF_RANGE'],
  [{ delay: '1s' }, 'ERR_INVALID_ARG_TYPE'],
])('shutdown(%j) is %s, and nothing is stopped', async (options, code) => {
  const own = await alone();
  await own.ready();
  await expect(own.shutdown(options as never)).rejects.toMatchObject({ code });
  expect(own.status()).toMatchObject({ phase: 'serving' });
});

it('shutdown() with limits of its own resolves with the report, and nothing can be registered any more', async () => {
  const own = await alone();
  await own.listen(http.createServer(), { host: '127.0.0.1', port: 0 });
  await own.ready();
  expect(await own.shutdown({ timeout: 5_000, delay: 0 })).toMatchObject({ forced: 0, reason: 'shutdown' });
  for (const call of [() => own.resume(), () => own.reexec(), () => own.hold({ port: 0 })]) {
    await expect(call()).rejects.toMatchObject({ code: 'ERR_HANDOFF_NOT_READY' });
  }
});
