// Story 1: hang up and replace. facebookgo/grace does the same on SIGUSR2.
import { expect, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { askTls } from '../../support/ask-tls.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { portOf } from '../../support/port-of.ts';
import { Story } from '../../support/story.ts';

test('story 1: SIGHUP starts the next version with the listener; a handler called just before answers in full', async () => {
  await using story = new Story();
  const first = story.start();
  const port = await portOf(first);
  const slow = ask({ port }, '/slow?takes=3000');
  await first.event('began');
  first.signal('SIGHUP');
  const second = await first.ready(1);
  expect(second).toMatchObject({ predecessor: { pid: first.pid }, listening: [{ port, inherited: true }] });
  expect((await ask({ port })).servedBy).toBe(second.pid);
  expect(await slow).toMatchObject({ status: 200, servedBy: first.pid, text: '/slow\n' });
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(second.pid);
});

test.each(['SIGINT', 'SIGTERM', 'SIGQUIT'] as const)(
  'story 1: %s finishes what is in flight and leaves',
  async (signal) => {
    await using story = new Story();
    const server = story.start();
    const port = await portOf(server);
    const slow = ask({ port }, '/slow?takes=3000');
    await server.event('began');
    server.signal(signal);
    expect(await slow).toMatchObject({ status: 200, servedBy: server.pid });
    expect(await server.exited).toEqual({ code: 0, signal: null });
    await expect(ask({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  },
);

test('story 1: SIGUSR1 and SIGUSR2 run functions of the application, before and after a replacement', async () => {
  await using story = new Story();
  const first = story.start({ functions: ['SIGUSR1', 'SIGUSR2'] });
  await portOf(first);
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
    first.signal(signal);
    await first.event('function', (told) => told.signal === signal && told.pid === first.pid);
  }
  first.signal('SIGHUP');
  const second = await first.ready(1);
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
    first.signal(signal, second.pid);
    await first.event('function', (told) => told.signal === signal && told.pid === second.pid);
  }
});

test('story 1: several HTTP and HTTPS servers at once, on SIGUSR2 as with grace', async () => {
  await using story = new Story();
  const first = story.start({
    signals: 'grace',
    listeners: [
      { name: 'one', port: 0 },
      { name: 'two', port: 0, host: '127.0.0.1' },
      { name: 'three', port: 0, tls: true },
      { name: 'four', port: 0, host: '127.0.0.1', tls: true },
    ],
    env: { CERTIFICATE: JSON.stringify(makeCertificate()) },
  });
  const { addresses } = await first.ready(0);
  const ports = (addresses as { port: number }[]).map(({ port }) => port);
  const ways = ports.map(
    (port, index) =>
      (path = '/') =>
        index < 2 ? ask({ port }, path) : askTls(port, path),
  );
  const slow = ways.map((way) => way('/?takes=3000'));
  await expect.poll(() => first.told.filter(({ event }) => event === 'began').length).toBe(ways.length);
  first.signal('SIGUSR2');
  const second = await first.ready(1);
  expect(second.addresses).toEqual(addresses);
  for (const way of ways) expect((await way()).servedBy).toBe(second.pid);
  for (const answer of slow) expect(await answer).toMatchObject({ status: 200, servedBy: first.pid });
  expect(await first.exited).toEqual({ code: 0, signal: null });
});
