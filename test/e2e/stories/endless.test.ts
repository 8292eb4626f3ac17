// Story 4: endless. Its hammer falls after 60 s; where a test waits for it, the limit is shorter.
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ask, askJson } from '../../support/ask.ts';
import { askTls } from '../../support/ask-tls.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { needs } from '../../support/needs.ts';
import { portOf } from '../../support/port-of.ts';
import type { Program } from '../../support/program.ts';
import { Story, storyCommand, storyEnvironment } from '../../support/story.ts';
import { Terminal } from '../../support/terminal.ts';

const allSignals = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGTERM', 'SIGTSTP'] as const;

/** The hooks that a process has told of, in their order. */
function hooksOf(program: Program, pid: number): string[] {
  return program.told
    .filter(({ event, pid: teller }) => event.endsWith('-signal') && teller === pid)
    .map(({ event, signal }) => `${event} ${signal}`);
}

test('story 4: SIGHUP replaces, SIGUSR1 and SIGTSTP only run their hooks, SIGTERM finishes', async () => {
  await using story = new Story();
  const first = story.start({
    signals: 'endless',
    hooks: allSignals,
    listeners: [
      { name: 'plain', port: 0 },
      { name: 'tls', port: 0, tls: true },
    ],
    env: { CERTIFICATE: JSON.stringify(makeCertificate()) },
  });
  const { addresses } = await first.ready(0);
  const [plain, tls] = (addresses as { port: number }[]).map(({ port }) => port) as [number, number];
  // "A hook before serving prints the pid."
  expect(await first.event('serving')).toMatchObject({ pid: first.pid });
  for (const signal of ['SIGUSR1', 'SIGTSTP'] as const) {
    first.signal(signal);
    await first.event('after-signal', (told) => told.signal === signal);
  }
  expect((await ask({ port: plain })).servedBy).toBe(first.pid);
  first.signal('SIGHUP');
  const second = await first.ready(1);
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect(hooksOf(first, first.pid)).toEqual(
    ['SIGUSR1', 'SIGTSTP', 'SIGHUP'].flatMap((signal) => [`before-signal ${signal}`, `after-signal ${signal}`]),
  );
  expect((await ask({ port: plain })).servedBy).toBe(second.pid);
  expect((await askTls(tls)).servedBy).toBe(second.pid);

  const slow = ask({ port: plain }, '/?takes=1000');
  await first.event('began', ({ pid }) => pid === second.pid);
  first.signal('SIGTERM', second.pid);
  expect(await slow).toMatchObject({ status: 200, servedBy: second.pid });
  expect(hooksOf(first, second.pid)[0]).toBe('before-signal SIGTERM');
});

test('story 4: SIGUSR2 is the hammer: it ends what hangs in a process that is leaving, and nothing else', async () => {
  await using story = new Story();
  const first = story.start({ signals: 'endless', hooks: allSignals });
  const port = await portOf(first);
  first.signal('SIGUSR2');
  await first.event('after-signal', ({ signal }) => signal === 'SIGUSR2');
  expect((await ask({ port })).servedBy).toBe(first.pid);
  const hanging = ask({ port }, '/?takes=600000').catch((error: Error) => error);
  await first.event('began');
  first.signal('SIGHUP');
  const second = await first.ready(1);
  await first.event('commit');
  first.signal('SIGUSR2');
  expect(await first.event('drain')).toMatchObject({ pid: first.pid, forced: 1 });
  await first.exited;
  expect(await hanging).toBeInstanceOf(Error);
  expect((await ask({ port })).servedBy).toBe(second.pid);
});

test('story 4: the hammer falls by itself when the limit is over', async () => {
  await using story = new Story();
  const server = story.start({ signals: 'endless', options: { shutdownTimeout: 500 } });
  const port = await portOf(server);
  const hanging = ask({ port }, '/?takes=600000').catch((error: Error) => error);
  await server.event('began');
  server.signal('SIGINT');
  expect(await hanging).toBeInstanceOf(Error);
  expect(await server.exited).toEqual({ code: 1, signal: null });
});

test('story 4: the limits are the same after the restart; a changed configuration is picked up', async () => {
  await using story = new Story();
  const file = `${story.folder}/configuration.json`;
  const limits = { headersTimeout: 4_000, requestTimeout: 11_000, keepAliveTimeout: 3_000 };
  writeFileSync(file, JSON.stringify({ limits, greeting: 'before' }));
  const first = story.start({ signals: 'endless', env: { CONFIGURATION: file } });
  const port = await portOf(first);
  const before = await askJson({ port }, '/limits');
  expect(before).toMatchObject(limits);
  first.signal('SIGHUP');
  const second = await first.ready(1);
  await first.exited;
  expect(await askJson({ port }, '/limits')).toEqual(before);
  expect((await ask({ port }, '/version')).text).toBe('1 before');
  writeFileSync(file, JSON.stringify({ limits: { ...limits, headersTimeout: 5_000 }, greeting: 'after' }));
  first.signal('SIGHUP', second.pid);
  await first.ready(2);
  await first.event('drain', ({ pid }) => pid === second.pid);
  expect(await askJson({ port }, '/limits')).toMatchObject({ ...limits, headersTimeout: 5_000 });
  expect((await ask({ port }, '/version')).text).toBe('1 after');
});

test('story 4: the shell that started it gets its prompt back, and the service answers on', async (context) => {
  needs(context, 'script', '--version');
  await using story = new Story();
  const terminal = story.add(new Terminal(storyEnvironment({ signals: 'endless' })));
  await terminal.prompt(1);
  terminal.type(storyCommand);
  const first = await terminal.ready(0);
  const [{ port }] = first.addresses as [{ port: number }];
  terminal.signal('SIGHUP', first.pid);
  const second = await terminal.ready(1);
  await terminal.prompt(2);
  expect((await ask({ port })).servedBy).toBe(second.pid);
  // The prompt is of use: the shell runs the next command, and the end of that changes nothing.
  terminal.type('true');
  await terminal.prompt(3);
  expect((await ask({ port })).servedBy).toBe(second.pid);
});
