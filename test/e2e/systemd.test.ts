import { unlinkSync } from 'node:fs';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { OwnedFd } from '../../lib/fd/owned-fd.ts';
import { bindTcp, listen } from '../../lib/fd/socket.ts';
import { ask, askJson } from '../support/ask.ts';
import { needs } from '../support/needs.ts';
import type { Told } from '../support/program.ts';
import { Program, serverProgram } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { ServiceManager, type ServiceManagerOptions } from '../support/service-manager.ts';
import { StrictLoad } from '../support/strict-load.ts';

// Where the manager is ours: test/peers/service_manager.py, which does what systemd does and tells who said what.

const linux = process.platform === 'linux';
const environment = { PATH: process.env.PATH ?? '' };

function manage(scene: Scene, options: Partial<ServiceManagerOptions> = {}): ServiceManager {
  const { env, ...rest } = options;
  return scene.add(
    new ServiceManager({ notify: `${scene.folder}/notify`, env: { CONTROL: scene.control, ...env }, ...rest }),
  );
}

/** The first address that the process which told this listens on. */
function portIn(told: Told): number {
  return (told.addresses as { port: number }[])[0]?.port as number;
}

describe.skipIf(!linux)('what the manager is told', () => {
  test.each([
    ['under NotifyAccess=main', { access: 'main' }],
    ['under NotifyAccess=all', { access: 'all' }],
    ['at an abstract address', { notify: `@fd-handoff-e2e-${process.pid}` }],
  ] as const)('of a start, three reloads and a stop, %s', async (_where, options) => {
    await using scene = new Scene();
    const manager = manage(scene, options);
    let former = await manager.ready(0);
    await manager.notified({ READY: '1' });
    for (let generation = 1; generation <= 3; generation++) {
      manager.reload();
      const next = await manager.ready(generation);
      await manager.notified({ READY: '1', MAINPID: String(next.pid) });
      expect(await manager.event('exited', ({ pid }) => pid === former.pid)).toMatchObject({
        status: 0,
        main: next.pid,
      });
      expect((await ask({ port: portIn(next) })).servedBy).toBe(next.pid);
      former = next;
    }
    manager.stop();
    await manager.exited;
    const reload = ['RELOADING', 'MAINPID', 'BARRIER', 'BARRIER', 'MAINPID+READY'];
    const start = ['STATUS+EXTEND_TIMEOUT_USEC', 'READY'];
    expect(manager.story).toEqual([...start, ...reload, ...reload, ...reload, 'STOPPING']);
    // The old main process moves MAINPID and has that read; the new one speaks only then.
    const [moved, read, asked, ready] = manager.told
      .filter(({ event }) => event === 'notify' || event === 'barrier')
      .slice(start.length + 1);
    expect(read?.pid).toBe(moved?.pid);
    expect(asked?.pid).toBe(moved?.main);
    expect(ready?.pid).toBe(moved?.main);
    expect(manager.complaints).toEqual([]);
    expect(await manager.event('exited', ({ pid }) => pid === former.pid)).toMatchObject({ status: 0 });
  });

  test('of a replacement that fails: why, and that this process serves on as the main one', async () => {
    await using scene = new Scene();
    const manager = manage(scene);
    const first = await manager.ready(0);
    for (const BEHAVIOUR of ['exit-at-once', 'throw']) {
      const before = manager.told.at(-1);
      await askJson({ port: portIn(first) }, '/admin/upgrade', {
        env: { ...environment, BEHAVIOUR },
      });
      const reloading = await manager.notified({ RELOADING: '1' }, before);
      const over = await manager.notified({ READY: '1' }, reloading);
      expect(over).toMatchObject({ pid: first.pid, before: 'reload', state: 'running', main: first.pid });
      expect((over.tags as { STATUS: string }).STATUS).toMatch(/the last replacement failed: .*exited/);
      expect((await ask({ port: portIn(first) })).servedBy).toBe(first.pid);
    }
    manager.reload();
    const next = await manager.ready(1);
    const { tags } = await manager.notified({ READY: '1', MAINPID: String(next.pid) });
    expect((tags as { STATUS: string }).STATUS).toBe('Serving, generation 1');
    expect(manager.complaints).toEqual([]);
  });

  test('of a reexec(): a reload in one process, be it that it fails', async () => {
    await using scene = new Scene();
    const manager = manage(scene, { store: 4 });
    const first = await manager.ready(0);
    const port = portIn(first);
    await ask({ port }, '/admin/reexec', { command: '/no/such/program' });
    const failed = await manager.notified({ RELOADING: '1' });
    const back = await manager.notified({ READY: '1' }, failed);
    expect(back).toMatchObject({ pid: first.pid, state: 'running' });
    await ask({ port }, '/admin/reexec', {});
    const reloading = await manager.notified({ RELOADING: '1' }, back);
    expect(await manager.notified({ READY: '1' }, reloading)).toMatchObject({ pid: first.pid, before: 'reload' });
    await manager.ready(1);
    expect(manager.complaints).toEqual([]);
    expect(await manager.kept()).toEqual(['tcp-0']);
  });

  test('of a successor beside: it is the main process when the first has left', async () => {
    await using scene = new Scene();
    const manager = manage(scene, { store: 4 });
    const first = await manager.ready(0);
    const port = portIn(first);
    const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', { keep: true });
    await manager.ready(1);
    expect(await manager.notified({ READY: '1', STATUS: 'Serving, generation 0' })).toMatchObject({ main: first.pid });
    manager.signal('SIGTERM', first.pid);
    const moved = await manager.notified({ MAINPID: String(pid) });
    expect(moved).toMatchObject({ pid: first.pid, main: pid });
    expect(await manager.notified({ READY: '1' }, moved)).toMatchObject({ pid, main: pid });
    expect(await manager.event('exited', (told) => told.pid === first.pid)).toMatchObject({ status: 0, main: pid });
    expect((await ask({ port })).servedBy).toBe(pid);
    expect(manager.complaints).toEqual([]);
    expect(manager.story).not.toContain('STOPPING');
    expect(await manager.kept()).toEqual(['tcp-0']);
  });

  test('of a give-back, where others may speak than the main process', async () => {
    await using scene = new Scene();
    const manager = manage(scene, { access: 'all' });
    const first = await manager.ready(0);
    const port = portIn(first);
    const slow = ask({ port }, '/?until=give-back&wait=300');
    await manager.event('began');
    const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade');
    const ready = await manager.notified({ READY: '1', MAINPID: String(pid) });
    process.kill(pid, 'SIGKILL');
    await manager.event('give-back');
    expect(await manager.notified({ MAINPID: String(first.pid), READY: '1' }, ready)).toMatchObject({
      main: first.pid,
    });
    expect((await ask({ port })).servedBy).toBe(first.pid);
    expect((await slow).servedBy).toBe(first.pid);
    expect(manager.complaints).toEqual([]);
  });

  test('by a program that knows nothing of this: READY=1 is said for it', async () => {
    await using scene = new Scene();
    const manager = manage(scene);
    const first = await manager.ready(0);
    const port = portIn(first);
    const program = `
      const http = require('node:http'), fs = require('node:fs');
      http.createServer((request, response) => response.end('a program')).listen({ fd: 3 }, () => {
        console.log(JSON.stringify({ event: 'program', pid: process.pid, notify: process.env.NOTIFY_SOCKET }));
        fs.writeSync(Number(process.env.FD_HANDOFF_READY_FD), '\\n');
        fs.closeSync(Number(process.env.FD_HANDOFF_READY_FD));
      });`;
    const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', {
      command: process.execPath,
      args: ['-e', program],
    });
    // It may speak for itself, if it can.
    expect(await manager.event('program')).toMatchObject({ pid, notify: `${scene.folder}/notify` });
    expect(await manager.notified({ MAINPID: String(pid), READY: '1' })).toMatchObject({ state: 'running', main: pid });
    expect((await ask({ port })).text).toBe('a program');
    expect(manager.complaints).toEqual([]);
  });

  test('nothing, by whatever else the service starts: the variables are gone', async () => {
    await using scene = new Scene();
    const manager = manage(scene, { store: 4, watchdog: 60_000_000, sockets: [{ name: 'web' }] });
    const first = await manager.ready(0);
    const variables = await askJson<string[]>({ port: portIn(first) }, '/admin/environment');
    const managers = /^(NOTIFY_SOCKET|WATCHDOG_|FDSTORE|LISTEN_)/;
    expect(variables.filter((name) => managers.test(name))).toEqual([]);
  });
});

describe.skipIf(!linux)('the watchdog', () => {
  // Long enough for a busy machine: a process that is not hung has to wake up once in two seconds.
  const watchdog = 4_000_000;

  test('gets its signs from whoever is the main process, over replacements of both kinds', async () => {
    await using scene = new Scene();
    const manager = manage(scene, { watchdog });
    const first = await manager.ready(0);
    await manager.notified({ WATCHDOG: '1' }, await manager.notified({ WATCHDOG: '1' }));
    manager.reload();
    const second = await manager.ready(1);
    const fromSecond = (told: { pid: number; tags?: unknown }) =>
      told.pid === second.pid && (told.tags as { WATCHDOG?: string }).WATCHDOG === '1';
    await manager.event('notify', fromSecond);
    await ask({ port: portIn(first) }, '/admin/reexec', {});
    const third = await manager.ready(2);
    await manager.notified({ WATCHDOG: '1' }, await manager.notified({ WATCHDOG: '1' }, third));
    expect(manager.told.some(({ event }) => event === 'watchdog')).toBe(false);
    expect(manager.complaints).toEqual([]);
  });

  test('ends a process whose event loop hangs, and the next start has its listener', async () => {
    await using scene = new Scene();
    const manager = manage(scene, { watchdog, store: 4 });
    const first = await manager.ready(0);
    const port = portIn(first);
    const hanging = ask({ port }, '/admin/hang').catch((error: Error) => error);
    await manager.event('watchdog', ({ pid }) => pid === first.pid);
    const next = await manager.event('ready', ({ pid }) => pid !== first.pid);
    expect(await hanging).toBeInstanceOf(Error);
    expect((await ask({ port })).servedBy).toBe(next.pid);
  });
});

describe.skipIf(!linux)('the descriptor store', () => {
  test('SIGKILL of the only process under strict load: 0 refused, the next start serves', {
    timeout: 120_000,
  }, async () => {
    await using scene = new Scene();
    const manager = manage(scene, { store: 4 });
    const first = await manager.ready(0);
    const port = portIn(first);
    const load = new StrictLoad(port);
    const served = [first.pid];
    await load.servedBy(first.pid);
    for (let crash = 0; crash < 5; crash++) {
      process.kill(served.at(-1) as number, 'SIGKILL');
      const next = await manager.event('ready', ({ pid }) => !served.includes(pid));
      expect(portIn(next)).toBe(port);
      served.push(next.pid);
      await load.servedBy(next.pid);
    }
    const { requests, refused, cut } = await load.endAfterCrashes();
    console.log(JSON.stringify({ crashes: 5, requests, refused, cut }));
    expect(refused).toBe(0);
    // What a killed process was in the middle of: at most one request of each of the 25 clients.
    expect(cut).toBeLessThanOrEqual(5 * 25);
    expect(manager.complaints).toEqual([]);
    expect(await manager.kept()).toEqual(['tcp-0']);
  });

  test('has each listener once after 20 upgrades and a crash in between, and none that was dropped', {
    timeout: 120_000,
  }, async () => {
    await using scene = new Scene();
    const LISTENERS = JSON.stringify([
      { name: 'web', host: '127.0.0.1', port: 0 },
      { name: 'local', path: `${scene.folder}/local.sock` },
    ]);
    const manager = manage(scene, { store: 8, env: { LISTENERS } });
    const first = await manager.ready(0);
    let port = portIn(first);
    for (let generation = 1; generation <= 20; generation++) {
      manager.reload();
      const next = await manager.ready(generation);
      await manager.notified({ READY: '1', MAINPID: String(next.pid) });
      expect(portIn(next)).toBe(port);
    }
    expect(await manager.kept()).toEqual(['local', 'web']);
    const { servedBy } = await ask({ port });
    process.kill(servedBy, 'SIGKILL');
    const again = await manager.event('ready', ({ pid, generation }) => generation === 0 && pid !== first.pid);
    expect(portIn(again)).toBe(port);
    expect((await ask({ socketPath: `${scene.folder}/local.sock` })).servedBy).toBe(again.pid);
    // A version that has one of the two, and a new one.
    const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', {
      env: {
        ...environment,
        CONTROL: scene.control,
        LISTENERS: '[{"name":"admin","host":"127.0.0.1","port":0},{"name":"web","host":"127.0.0.1","port":0}]',
      },
    });
    const other = await manager.event('ready', (told) => told.pid === pid);
    await manager.notified({ READY: '1', MAINPID: String(pid) });
    expect(await manager.kept()).toEqual(['admin', 'web']);
    port = portIn(other);
    process.kill(pid, 'SIGKILL');
    // The manager starts the version that it knows, which has no use for the new one.
    const last = await manager.event(
      'ready',
      (told) => ![pid, again.pid, first.pid].includes(told.pid) && told.generation === 0,
    );
    expect(last).toMatchObject({ predecessor: null });
    expect(await manager.kept()).toEqual(['local', 'web']);
    expect(manager.complaints).toEqual([]);
    expect(manager.told.filter(({ event }) => event === 'store-refused')).toEqual([]);
  });

  test('is used on request where the manager does not speak of it, and not at all where it is not wanted', async () => {
    for (const [options, tells_store, kept] of [
      ['{"systemd":{"store":true}}', false, ['tcp-0']],
      ['{}', false, []],
      ['{"systemd":{"store":false}}', true, []],
    ] as const) {
      await using scene = new Scene();
      const manager = manage(scene, { store: 4, tells_store, env: { OPTIONS: options } });
      await manager.notified({ READY: '1' });
      expect(await manager.kept()).toEqual(kept);
    }
  });

  test('lets go of a listener whose server the application closes', async () => {
    await using scene = new Scene();
    const LISTENERS = '[{"name":"web","port":0},{"name":"admin","port":0}]';
    const manager = manage(scene, { store: 4, env: { LISTENERS } });
    const first = await manager.ready(0);
    expect(await manager.kept()).toEqual(['admin', 'web']);
    await ask({ port: portIn(first) }, '/admin/close', { name: 'admin' });
    await manager.notified({ FDSTOREREMOVE: '1', FDNAME: 'admin' });
    expect(await manager.kept()).toEqual(['web']);
    expect(manager.complaints).toEqual([]);
  });

  test('gives no socket back whose file is gone: a new one has the path', async () => {
    await using scene = new Scene();
    const socketPath = `${scene.folder}/web.sock`;
    const LISTENERS = JSON.stringify([{ name: 'web', path: socketPath }]);
    const manager = manage(scene, { store: 4, env: { LISTENERS } });
    const first = await manager.ready(0);
    unlinkSync(socketPath);
    process.kill(first.pid, 'SIGKILL');
    const next = await manager.event('ready', ({ pid }) => pid !== first.pid);
    expect((await ask({ socketPath })).servedBy).toBe(next.pid);
    expect(await manager.kept()).toEqual(['web']);
    process.kill(next.pid, 'SIGKILL');
    const last = await manager.event('ready', ({ pid }) => pid !== first.pid && pid !== next.pid);
    expect((await ask({ socketPath })).servedBy).toBe(last.pid);
    expect(manager.complaints).toEqual([]);
  });

  test('that is too small is told of, and the service goes on', async () => {
    await using scene = new Scene();
    const LISTENERS = '[{"name":"a","port":0},{"name":"b","port":0}]';
    const manager = manage(scene, { store: 1, env: { LISTENERS } });
    const error = await manager.event('error');
    expect(error).toMatchObject({
      code: 'ERR_HANDOFF_REFUSED',
      message: expect.stringContaining('FileDescriptorStoreMax='),
    });
    await manager.ready(0);
    expect(await manager.kept()).toEqual(['a']);
  });

  test('where asked, has a connection too: a protocol that can go on does so after a crash', async () => {
    await using scene = new Scene();
    const connections: net.Socket[] = [];
    let last = 0;
    const upstream = net.createServer((socket) => {
      connections.push(socket);
      socket.on('data', (data) => {
        for (const line of String(data).trim().split('\n')) if (line === 'next') last++;
        socket.write(`${last}\n`);
      });
    });
    const UPSTREAM = `${scene.folder}/upstream.sock`;
    await new Promise<void>((resolve) => upstream.listen(UPSTREAM, resolve));
    const program = new URL('./programs/raw-connection.js', import.meta.url).pathname;
    const manager = manage(scene, { store: 4, command: [process.execPath, program], env: { UPSTREAM } });
    let serving = await manager.event('serving');
    for (let crash = 1; crash <= 3; crash++) {
      manager.signal('SIGUSR1', serving.pid);
      await manager.event('answer', ({ last }) => last === crash);
      process.kill(serving.pid, 'SIGKILL');
      const served = new Set(manager.told.filter(({ event }) => event === 'serving').map(({ pid }) => pid));
      serving = await manager.event('serving', ({ pid }) => !served.has(pid));
      await manager.event('answer', (told) => told.pid === serving.pid && told.last === crash);
    }
    expect(manager.told.filter(({ event }) => event === 'connecting')).toHaveLength(1);
    expect(connections.map(({ closed }) => closed)).toEqual([false]);
    expect(await manager.kept()).toEqual(['upstream']);
    upstream.close();
    for (const connection of connections) connection.destroy();
  });
});

describe.skipIf(!linux)('socket units', () => {
  test('pass sockets by name, keep them over replacements and stops, and are not stored', async () => {
    await using scene = new Scene();
    const path = `${scene.folder}/local.sock`;
    const manager = manage(scene, {
      store: 4,
      sockets: [{ name: 'web' }, { name: 'local', path }],
      env: { LISTENERS: '[{"name":"web"},{"name":"local"}]' },
    });
    const first = await manager.ready(0);
    const [, port] = ((await manager.event('started')).sockets as [string, number][])[0] as [string, number];
    expect(first).toMatchObject({ generation: 0, predecessor: null, addresses: [{ port }, { path }] });
    expect(await manager.notified({ READY: '1' })).toMatchObject({ pid: first.pid });
    manager.reload();
    const second = await manager.ready(1);
    await manager.notified({ READY: '1', MAINPID: String(second.pid) });
    // In place, after a rehearsal, which has names and addresses and nothing else.
    await ask({ port }, '/admin/reexec', {});
    await manager.ready(2);
    expect((await ask({ port })).servedBy).toBe(second.pid);
    expect((await ask({ socketPath: path })).servedBy).toBe(second.pid);
    expect(await manager.kept()).toEqual([]);
    // A stop by the process itself: the unit's socket file is not its to remove, and who connects waits for the next.
    await ask({ port }, '/admin/shutdown', {});
    const third = await manager.event('ready', ({ pid }) => ![first.pid, second.pid].includes(pid));
    expect((await ask({ socketPath: path })).servedBy).toBe(third.pid);
    expect((await ask({ port })).servedBy).toBe(third.pid);
    expect(manager.complaints).toEqual([]);
    expect(manager.stderr).toBe('');
  });

  test('that pass what nobody uses: it is closed with a warning', async () => {
    await using scene = new Scene();
    const manager = manage(scene, {
      sockets: [{ name: 'web' }, { name: 'forgotten' }],
      env: { LISTENERS: '[{"name":"web"}]' },
    });
    await manager.ready(0);
    await expect.poll(() => manager.stderr).toMatch(/FD_HANDOFF_UNCLAIMED.*"forgotten" \(127\.0\.0\.1:\d+\)/s);
  });

  test('may give several one name: then the second is called `name#2`', async () => {
    await using scene = new Scene();
    const manager = manage(scene, {
      sockets: [{ name: 'app' }, { name: 'app', host: '::1' }, { name: 'app' }],
      env: { LISTENERS: '[{"name":"app"},{"name":"app#2"},{"name":"app#3"}]' },
    });
    const { addresses } = await manager.ready(0);
    const sockets = (await manager.event('started')).sockets as [string, number][];
    expect((addresses as { port: number }[]).map(({ port }) => port)).toEqual(sockets.map(([, port]) => port));
  });

  test('that lack the one that is wanted by its name alone: the start fails, and says so', async () => {
    await using scene = new Scene();
    const manager = manage(scene, { restart: 'no', env: { LISTENERS: '[{"name":"web"}]' } });
    await manager.exited;
    expect(manager.stderr).toMatch(/ERR_INVALID_ARG_VALUE|no default to listen on/);
  });
});

describe.skipIf(!linux)('without a manager to talk to', () => {
  test('what systemd-socket-activate passes is served on', async (context) => {
    needs(context, 'systemd-socket-activate', '--version');
    await using scene = new Scene();
    const socketPath = `${scene.folder}/web.sock`;
    const program = scene.add(
      new Program(
        'systemd-socket-activate',
        [
          '--listen',
          socketPath,
          '--fdname',
          'web',
          '--setenv=LISTENERS',
          '--setenv=CONTROL',
          process.execPath,
          serverProgram,
        ],
        { LISTENERS: '[{"name":"web"}]', CONTROL: scene.control },
      ),
    );
    await expect.poll(() => program.stderr, { timeout: 30_000 }).toMatch(/Listening on/);
    // It starts the program when somebody comes, in its own place; who has come is served.
    expect((await ask({ socketPath })).servedBy).toBe(program.pid);
    expect(await program.ready(0)).toMatchObject({ addresses: [{ path: socketPath }] });
    program.signal('SIGHUP');
    const next = await program.ready(1);
    expect((await ask({ socketPath })).servedBy).toBe(next.pid);
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });

  test('a predecessor goes first: the same socket is held once, and what it lacks is taken', async () => {
    await using scene = new Scene();
    using web = new OwnedFd(bindTcp('127.0.0.1', 0));
    using admin = new OwnedFd(bindTcp('127.0.0.1', 0));
    for (const { fd } of [web, admin]) listen(fd);
    const start = (names: string, descriptors: readonly OwnedFd[], LISTENERS: string) =>
      scene.add(
        new Program(
          '/bin/sh',
          ['-c', 'LISTEN_PID=$$ exec "$0" "$@"', process.execPath, serverProgram],
          { CONTROL: scene.control, LISTEN_FDS: String(descriptors.length), LISTEN_FDNAMES: names, LISTENERS },
          undefined,
          { inherited: descriptors.map(({ fd }) => fd) },
        ),
      );
    const first = start('web', [web], '[{"name":"web"}]');
    const port = portIn(await first.ready(0));
    const { open } = await askJson<{ open: number }>({ port }, '/admin/descriptors');
    const second = start('web:admin', [web, admin], '[{"name":"web"},{"name":"admin"}]');
    const ready = await second.ready(1);
    expect(ready).toMatchObject({
      predecessor: { pid: first.pid },
      listening: [{ inherited: true }, { inherited: true }],
    });
    expect(await first.exited).toEqual({ code: 0, signal: null });
    for (const { port } of ready.addresses as { port: number }[])
      expect((await ask({ port })).servedBy).toBe(second.pid);
    // The one more that it listens on, twice: what is handed on, and what Node accepts on.
    await expect
      .poll(async () => (await askJson<{ open: number }>({ port }, '/admin/descriptors')).open)
      .toBeLessThanOrEqual(open + 2);
    expect(second.stderr).toBe('');
  });
});
