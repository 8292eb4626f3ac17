// What the kernel and the file system have, of what listen() was told; and what they have when a version tells otherwise.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, type TestContext, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { kernelListeners } from '../support/kernel-listeners.ts';
import { type Listening, listeners, portIn, refusal } from '../support/listening.ts';
import { needs } from '../support/needs.ts';
import { Program, serverProgram } from '../support/program.ts';
import { RawClient } from '../support/raw-client.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';

/** Debian's "nobody", and its group. */
const nobody = 65534;

let scene: Scene;

beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene[Symbol.asyncDispose]());

function asRoot(context: TestContext): void {
  if (process.getuid?.() !== 0) context.skip('only root can give a file away');
  needs(context, 'setpriv', '--version');
}

function rightsOf(path: string): { mode: number; uid: number; gid: number } {
  const { mode, uid, gid } = lstatSync(path);
  return { mode: mode & 0o777, uid, gid };
}

test('ipv6Only and the backlog are what the kernel has, also after three replacements', async (context) => {
  needs(context, 'ss', '-V');
  const wanted = (ports: readonly number[]) =>
    listeners(
      { name: 'both', port: ports[0], host: '::', backlog: 77 },
      { name: 'alone', port: ports[1], host: '::', ipv6Only: true, backlog: 33 },
      { name: 'four', port: ports[2], host: '0.0.0.0' },
    );
  let previous = scene.server(wanted([0, 0, 0]));
  const ports = ((await previous.ready(0)).listening as Listening[]).map(({ port }) => port as number);
  const [both, alone, four] = ports as [number, number, number];
  for (const generation of [0, 1, 2, 3]) {
    if (generation > 0) {
      const next = scene.server(wanted(ports));
      expect((await next.ready(generation)).listening).toMatchObject([
        { inherited: true },
        { inherited: true },
        { inherited: true },
      ]);
      await previous.exited;
      previous = next;
    }
    expect(kernelListeners(both)).toMatchObject([{ address: '*', backlog: 77 }]);
    expect(kernelListeners(alone)).toMatchObject([{ address: '::', backlog: 33 }]);
    expect(kernelListeners(four)).toMatchObject([{ address: '0.0.0.0', backlog: 511 }]);
    for (const [port, host] of [
      [both, '127.0.0.1'],
      [both, '::1'],
      [alone, '::1'],
      [four, '127.0.0.1'],
    ] as const) {
      expect((await ask({ port, host })).servedBy).toBe(previous.pid);
    }
    expect(await refusal(alone, '127.0.0.1')).toBe('ECONNREFUSED');
    expect(await refusal(four, '::1')).toBe('ECONNREFUSED');
  }
});

test('another backlog is applied to the listener that is there, when the new version is ready and not before', async (context) => {
  needs(context, 'ss', '-V');
  const first = scene.server(listeners({ name: 'web', port: 0, backlog: 77 }));
  const port = portIn((await first.ready(0)).listening);
  const failing = scene.server({ ...listeners({ name: 'web', port, backlog: 200 }), BEHAVIOUR: 'hang' });
  await failing.event('hanging');
  expect(kernelListeners(port)).toMatchObject([{ backlog: 77 }]);
  failing.signal('SIGKILL');
  await failing.exited;
  const load = new StrictLoad(port);
  const second = scene.server(listeners({ name: 'web', port, backlog: 200 }));
  await second.ready(1);
  expect(kernelListeners(port)).toMatchObject([{ backlog: 200 }]);
  await load.servedBy(second.pid);
  await load.end();
});

test('a socket file has its owner and mode before anybody can connect', async (context) => {
  asRoot(context);
  const path = join(scene.folder, 'web.sock');
  const first = scene.server(listeners({ name: 'web', path, mode: 0o620, owner: { uid: nobody, gid: nobody } }));
  await first.event('starting');
  expect(rightsOf(path)).toEqual({ mode: 0o620, uid: nobody, gid: nobody });
  await first.ready(0);
  chmodSync(scene.folder, 0o755);
  /** The exit code of a connection of that user: 0 where it may. */
  const connects = async (uid: number) => {
    const script = `require('net').connect(process.argv[1]).on('connect', () => process.exit(0)).on('error', (error) => process.exit(error.code === 'EACCES' ? 13 : 1))`;
    const program = scene.add(
      new Program(
        'setpriv',
        ['--reuid', String(uid), '--regid', '1', '--clear-groups', process.execPath, '-e', script, path],
        {},
      ),
    );
    return (await program.exited).code;
  };
  expect(await connects(nobody)).toBe(0);
  expect(await connects(65533)).toBe(13);
});

test('another mode and owner are applied when the new version owns the service, and not before', async (context) => {
  asRoot(context);
  const path = join(scene.folder, 'web.sock');
  const first = scene.server(listeners({ name: 'web', path, mode: 0o600 }));
  await first.ready(0);
  const before = rightsOf(path);
  expect(before).toEqual({ mode: 0o600, uid: 0, gid: process.getgid?.() });
  const wanted = listeners({ name: 'web', path, mode: 0o660, owner: { gid: nobody } });
  const failing = scene.server({ ...wanted, BEHAVIOUR: 'hang' });
  await failing.event('hanging');
  expect(rightsOf(path)).toEqual(before);
  failing.signal('SIGKILL');
  await failing.exited;
  const load = new StrictLoad(path);
  const second = scene.server(wanted);
  await second.ready(1);
  expect(rightsOf(path)).toEqual({ mode: 0o660, uid: 0, gid: nobody });
  await load.servedBy(second.pid);
  // A version that says nothing of them leaves them.
  const third = scene.server(listeners({ name: 'web', path }));
  await third.ready(2);
  expect(rightsOf(path)).toEqual({ mode: 0o660, uid: 0, gid: nobody });
  await load.servedBy(third.pid);
  await load.end();
});

test('rights that cannot be given are told, and the service goes on', async (context) => {
  asRoot(context);
  chmodSync(scene.folder, 0o755);
  const folder = join(scene.folder, 'open');
  mkdirSync(folder);
  chmodSync(folder, 0o1777);
  const path = join(folder, 'web.sock');
  const drops = { CONTROL: join(folder, 'control.sock'), USER_ID: String(nobody) };
  const first = scene.server({ ...drops, ...listeners({ name: 'web', path, mode: 0o666 }) });
  await first.ready(0);
  await ask({ socketPath: path }, '/admin/upgrade', {
    env: { ...process.env, ...drops, ...listeners({ name: 'web', path, owner: { uid: 1 } }) },
  });
  const second = await first.ready(1);
  expect(await first.event('error', ({ pid }) => pid === second.pid)).toMatchObject({ code: 'EPERM' });
  expect((await ask({ socketPath: path })).servedBy).toBe(second.pid);

  const other = join(folder, 'other.sock');
  const env = { CONTROL: join(folder, 'fresh.sock'), ...listeners({ name: 'web', path: other, owner: { uid: 1 } }) };
  const fresh = scene.add(
    new Program('setpriv', ['--reuid', String(nobody), '--clear-groups', process.execPath, serverProgram], env),
  );
  expect(await fresh.exited).toMatchObject({ code: 1 });
  expect(fresh.stderr).toMatch(/EPERM.*other\.sock/s);
  expect(existsSync(other)).toBe(false);
});

test('after a crash with connections in every state a fresh start has the port at once', async (context) => {
  needs(context, 'ss', '-V');
  const first = scene.server(listeners({ name: 'web', port: 0, host: '127.0.0.1' }));
  const port = portIn((await first.ready(0)).listening);
  // Closed by the server: its side of these waits (TIME_WAIT), and keeps the port from whoever has no SO_REUSEADDR.
  for (let count = 0; count < 5; count++) {
    const client = await RawClient.connect(port);
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    await client.closed;
  }
  const waiting = connect(port, '127.0.0.1').on('error', () => {});
  await once(waiting, 'connect');
  using open = await RawClient.connect(port);
  open.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await open.until('hello');
  first.signal('SIGKILL');
  await first.exited;
  expect(execFileSync('ss', ['-Htan', `sport = :${port}`], { encoding: 'utf8' })).toContain('TIME-WAIT');
  const second = scene.server(listeners({ name: 'web', port, host: '127.0.0.1' }));
  expect((await second.ready(0)).listening).toMatchObject([{ port, inherited: false }]);
  expect((await ask({ port })).servedBy).toBe(second.pid);
  waiting.destroy();
});

test('an option that there is not is an error, and changes nothing', async () => {
  const first = scene.server(listeners({ name: 'web', port: 0 }));
  const port = portIn((await first.ready(0)).listening);
  const second = scene.server(listeners({ name: 'web', port, reuseport: true }));
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.stderr).toContain('listen() has no option "reuseport". Did you mean "reusePort"?');
  const third = scene.server({ ...listeners({ name: 'web', port }), OPTIONS: '{"drainTimeOut":1000}' });
  expect(await third.exited).toMatchObject({ code: 1 });
  expect(third.stderr).toContain('handoff() has no option "drainTimeOut". Did you mean "drainTimeout"?');
  expect(JSON.parse((await ask({ port }, '/admin/upgrade', { comand: 'x' })).text)).toMatchObject({
    code: 'ERR_INVALID_ARG_VALUE',
    message: 'upgrade() has no option "comand". Did you mean "command"?',
  });
  expect((await ask({ port })).servedBy).toBe(first.pid);
});
