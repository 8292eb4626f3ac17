import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { HeldRequest } from '../support/held-request.ts';
import { portOf } from '../support/port-of.ts';
import { isAlive } from '../support/processes.ts';
import { Program, serverProgram } from '../support/program.ts';
import { RawClient } from '../support/raw-client.ts';
import { Scene } from '../support/scene.ts';

const OPTIONS = '{"signals":"nginx"}';
const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

async function pausedOwner(scene: Scene): Promise<{ owner: Program; port: number }> {
  const owner = scene.daemon({ OPTIONS });
  const port = await portOf(owner);
  owner.signal('SIGWINCH');
  await owner.event('pause');
  return { owner, port };
}

test('what is in flight is finished, what is idle is told to go, and who connects waits for the service', async () => {
  await using scene = new Scene();
  const owner = scene.daemon({ OPTIONS });
  const port = await portOf(owner);
  using idle = await RawClient.connect(port);
  idle.send(request);
  await idle.until('hello');
  using held = await HeldRequest.open(port);
  owner.signal('SIGWINCH');
  await owner.event('pause');
  idle.send(request);
  await idle.closed;
  expect(idle.received.split('Connection: close').length).toBe(2);
  expect(idle.received.split('200 OK').length).toBe(3);
  const waiting = ask({ port });
  expect(await held.release()).toMatchObject({ status: 200, servedBy: owner.pid, connection: 'close' });
  owner.signal('SIGHUP');
  await owner.event('resume');
  expect(await waiting).toMatchObject({ status: 200, servedBy: owner.pid });
  using again = await RawClient.connect(port);
  again.send(request);
  await again.until('keep-alive');
});

test('one that was paused and resumed can be paused again, and replaced', async () => {
  await using scene = new Scene();
  const { owner, port } = await pausedOwner(scene);
  owner.signal('SIGHUP');
  await owner.event('resume');
  owner.signal('SIGWINCH');
  await expect.poll(() => owner.told.filter(({ event }) => event === 'pause').length).toBe(2);
  owner.signal('SIGHUP');
  await expect.poll(() => owner.told.filter(({ event }) => event === 'resume').length).toBe(2);
  owner.signal('SIGHUP');
  const second = await owner.ready(1);
  expect(await owner.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(second.pid);
});

test('it hands over to a visitor, who answers those that waited', async () => {
  await using scene = new Scene();
  const { owner, port } = await pausedOwner(scene);
  const waiting = ask({ port });
  const second = scene.daemon({ OPTIONS });
  await second.ready(1);
  expect((await waiting).servedBy).toBe(second.pid);
  expect(await owner.exited).toEqual({ code: 0, signal: null });
});

test('a handoff that fails leaves it paused', async () => {
  await using scene = new Scene();
  const { owner, port } = await pausedOwner(scene);
  const failing = scene.daemon({ OPTIONS, BEHAVIOUR: 'exit' });
  expect((await failing.exited).code).toBe(3);
  await owner.event('rollback');
  const waiting = ask({ port });
  owner.signal('SIGHUP');
  await owner.event('resume');
  expect((await waiting).servedBy).toBe(owner.pid);
});

test('it starts a successor beside itself, and stays paused', async () => {
  await using scene = new Scene();
  const { owner, port } = await pausedOwner(scene);
  owner.signal('SIGUSR2');
  const second = await owner.ready(1);
  await owner.event('commit', ({ mode }) => mode === 'keep');
  for (let requests = 0; requests < 20; requests++) expect((await ask({ port })).servedBy).toBe(second.pid);
  expect(owner.told.some(({ event }) => event === 'resume')).toBe(false);
});

test('it serves again when the one beside it is gone: nobody else would', async () => {
  await using scene = new Scene();
  const { owner, port } = await pausedOwner(scene);
  owner.signal('SIGUSR2');
  const second = await owner.ready(1);
  await owner.event('commit', ({ mode }) => mode === 'keep');
  expect((await ask({ port })).servedBy).toBe(second.pid);
  owner.signal('SIGKILL', second.pid);
  await owner.event('resume');
  expect((await ask({ port })).servedBy).toBe(owner.pid);
});

test('it serves again when its successor dies while it drains', async () => {
  await using scene = new Scene();
  const owner = scene.daemon({ OPTIONS });
  const port = await portOf(owner);
  using held = await HeldRequest.open(port);
  owner.signal('SIGWINCH');
  await owner.event('pause');
  const second = scene.daemon({ OPTIONS });
  await second.ready(1);
  owner.signal('SIGKILL', second.pid);
  await owner.event('give-back');
  expect((await ask({ port })).servedBy).toBe(owner.pid);
  expect(await held.release()).toMatchObject({ status: 200, servedBy: owner.pid });
});

test('it can be told to stop, and finishes what is in flight before that', async () => {
  await using scene = new Scene();
  const owner = scene.daemon({ OPTIONS });
  const port = await portOf(owner);
  using held = await HeldRequest.open(port);
  owner.signal('SIGWINCH');
  await owner.event('pause');
  owner.signal('SIGQUIT');
  await expect.poll(() => existsSync(scene.control)).toBe(false);
  await expect.poll(() => ask({ port }).catch(({ code }) => code)).toBe('ECONNREFUSED');
  expect((await held.release()).status).toBe(200);
  expect(await owner.exited).toEqual({ code: 0, signal: null });
});

test('the hammer cuts off what a pause leaves alone', async () => {
  await using scene = new Scene();
  const owner = scene.daemon({ OPTIONS });
  const end = ask({ port: await portOf(owner) }, '/?wait=600000').catch(({ code }) => code);
  await owner.event('began');
  owner.signal('SIGWINCH');
  await owner.event('pause');
  owner.signal('SIGTERM');
  expect(await owner.exited).toEqual({ code: 1, signal: null });
  expect(await owner.event('drain')).toMatchObject({ forced: 1 });
  expect(await end).toBe('ECONNRESET');
});

test('it lives on without a control path, although nothing is open in it', async () => {
  await using scene = new Scene();
  const owner = scene.add(Program.server({ OPTIONS }, { detached: true }));
  const port = await portOf(owner);
  owner.signal('SIGWINCH');
  await owner.event('pause');
  const waiting = ask({ port });
  // Node looks whether anything keeps it at the end of every turn; a signal that is answered shows that it turned.
  owner.signal('SIGUSR1');
  await owner.event('reopen');
  expect(isAlive(owner.pid)).toBe(true);
  owner.signal('SIGHUP');
  expect((await waiting).servedBy).toBe(owner.pid);
});

test('what it is already, and what it cannot be, is told', async () => {
  await using scene = new Scene();
  const starting = scene.daemon({ OPTIONS, BEHAVIOUR: 'hang' });
  await starting.event('hanging');
  starting.signal('SIGWINCH');
  expect(await starting.event('error')).toMatchObject({ code: 'ERR_HANDOFF_NOT_READY' });
  starting.signal('SIGTERM');
  await starting.exited;
  const { owner } = await pausedOwner(scene);
  owner.signal('SIGWINCH');
  owner.signal('SIGUSR1');
  await owner.event('reopen');
  expect(owner.told.filter(({ event }) => event === 'pause' || event === 'error')).toHaveLength(1);
});

test('a window that is resized pauses nobody: in a terminal SIGWINCH is not for the server', async () => {
  await using scene = new Scene();
  const terminal = scene.add(
    new Program(
      'python3',
      ['-c', 'import pty, sys; pty.spawn(sys.argv[1:])', process.execPath, serverProgram],
      { CONTROL: scene.control, OPTIONS },
      undefined,
      { detached: true },
    ),
  );
  const { pid, addresses } = await terminal.ready(0);
  const [{ port }] = addresses as [{ port: number }];
  terminal.signal('SIGWINCH', pid);
  terminal.signal('SIGUSR1', pid);
  await terminal.event('reopen');
  expect((await ask({ port })).servedBy).toBe(pid);
  expect(terminal.told.some(({ event }) => event === 'pause')).toBe(false);
});
