import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { type Listening, listeners, portIn, refusal } from '../support/listening.ts';
import { Scene } from '../support/scene.ts';

test('two ports and a Unix path all go over, and keep their addresses', async () => {
  await using scene = new Scene();
  const path = join(scene.folder, 'web.sock');
  const env = listeners({ name: 'web', port: 0 }, { name: 'admin', port: 0, host: '127.0.0.1' }, { path, mode: 0o660 });
  const first = scene.server(env);
  const { listening } = await first.ready(0);
  expect(statSync(path).mode & 0o777).toBe(0o660);
  const second = scene.server(env);
  const inherited = (await second.ready(1)).listening as Listening[];
  expect(inherited.map((one) => ({ ...one, inherited: false }))).toEqual(listening);
  expect(inherited.every((one) => one.inherited)).toBe(true);
  await first.exited;
  for (const where of [
    { port: portIn(listening, 'web') },
    { port: portIn(listening, 'admin') },
    { socketPath: path },
  ]) {
    expect((await ask(where)).servedBy).toBe(second.pid);
  }
  second.signal('SIGTERM');
  await second.exited;
  expect(existsSync(path)).toBe(false);
});

test('port 0 keeps the port that it got', async () => {
  await using scene = new Scene();
  const first = scene.server(listeners({ port: 0 }));
  const { listening } = await first.ready(0);
  const second = scene.server(listeners({ port: 0 }));
  const inherited = (await second.ready(1)).listening as Listening[];
  expect(inherited[0]?.port).toBe((listening as Listening[])[0]?.port);
});

test('a listener that the next version adds is bound by it', async () => {
  await using scene = new Scene();
  const first = scene.server(listeners({ name: 'web', port: 0 }));
  const { listening } = await first.ready(0);
  const second = scene.server(listeners({ name: 'web', port: 0 }, { name: 'metrics', port: 0 }));
  const now = (await second.ready(1)).listening as Listening[];
  expect(now.map(({ name, inherited }) => ({ name, inherited }))).toEqual([
    { name: 'web', inherited: true },
    { name: 'metrics', inherited: false },
  ]);
  expect((await ask({ port: portIn(listening, 'web') })).servedBy).toBe(second.pid);
  expect((await ask({ port: portIn(now, 'metrics') })).servedBy).toBe(second.pid);
});

test('a listener that the next version drops is refused from then on, also while the old one drains', async () => {
  await using scene = new Scene();
  const path = join(scene.folder, 'old.sock');
  const first = scene.server(listeners({ name: 'web', port: 0 }, { name: 'old', port: 0 }, { name: 'old-path', path }));
  const { listening } = await first.ready(0);
  const slow = ask({ port: portIn(listening, 'web') }, '/?wait=2500');
  await first.event('began');
  const second = scene.server(listeners({ name: 'web', port: 0 }));
  await second.ready(1);
  await expect.poll(() => refusal(portIn(listening, 'old'))).toBe('ECONNREFUSED');
  await expect.poll(() => existsSync(path)).toBe(false);
  expect((await ask({ port: portIn(listening, 'web') })).servedBy).toBe(second.pid);
  expect((await slow).servedBy).toBe(first.pid);
});

test('a listener of the same name at another address is not taken: the next version binds its own', async () => {
  await using scene = new Scene();
  const first = scene.server(listeners({ name: 'web', port: 0, host: '127.0.0.1' }));
  const { listening } = await first.ready(0);
  const second = scene.server(listeners({ name: 'web', port: 0, host: '127.0.0.2' }));
  const now = (await second.ready(1)).listening as Listening[];
  expect(now).toMatchObject([{ name: 'web', address: '127.0.0.2', inherited: false }]);
  expect((await ask({ port: portIn(now, 'web'), host: '127.0.0.2' })).servedBy).toBe(second.pid);
  await first.exited;
  expect(await refusal(portIn(listening, 'web'))).toBe('ECONNREFUSED');
});

test('a listener at the same address under another name is taken', async () => {
  await using scene = new Scene();
  const first = scene.server(listeners({ name: 'one', port: 0 }));
  const { listening } = await first.ready(0);
  const port = portIn(listening, 'one');
  const second = scene.server(listeners({ name: 'two', port }));
  expect((await second.ready(1)).listening).toMatchObject([{ name: 'two', port, inherited: true }]);
});

test('an address that is in use fails the successor with EADDRINUSE, and the predecessor serves on', async () => {
  await using scene = new Scene();
  await using elsewhere = new Scene();
  const other = elsewhere.server(listeners({ name: 'web', port: 0 }));
  const taken = portIn((await other.ready(0)).listening, 'web');
  const first = scene.server(listeners({ name: 'web', port: 0 }));
  const { listening } = await first.ready(0);
  const second = scene.server(listeners({ name: 'web', port: 0 }, { name: 'admin', port: taken }));
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.stderr).toContain('EADDRINUSE');
  expect((await ask({ port: portIn(listening, 'web') })).servedBy).toBe(first.pid);
});

test('nothing is accepted before ready(): who connects waits, and is answered by whoever owns', async () => {
  await using scene = new Scene();
  const first = scene.server({ ...listeners({ name: 'web', port: 0 }), OPTIONS: '{"readyTimeout":2000}' });
  const { listening } = await first.ready(0);
  const port = portIn(listening, 'web');
  const hanging = scene.server({ ...listeners({ name: 'web', port: 0 }), BEHAVIOUR: 'hang' });
  await hanging.event('hanging');
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask({ port })));
  expect(answers.every(({ servedBy }) => servedBy === first.pid)).toBe(true);
});
