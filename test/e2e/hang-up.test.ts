import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { commandFile } from '../support/command.ts';
import { HeldRequest } from '../support/held-request.ts';
import { needs } from '../support/needs.ts';
import { isAlive } from '../support/processes.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { loggedServer, ServerLog } from '../support/server-log.ts';
import { Terminal } from '../support/terminal.ts';

/**
 * For how long the end of a terminal explains a hang-up (lib/signals/hang-up.ts), twice: it is looked at that often. A time
 * by nature.
 */
const forgotten = 2_100;

const node = `'${process.execPath}' '${loggedServer}'`;

interface Sat {
  readonly terminal: Terminal;
  readonly log: ServerLog;
}

/** Somebody types that line at a shell. */
async function sit(scene: Scene, line: string, before: readonly string[] = []): Promise<Sat> {
  const log = new ServerLog(scene);
  const terminal = scene.add(new Terminal({ LOG: log.path, CONTROL: scene.control, HISTFILE: '/dev/null' }));
  await terminal.prompt(1);
  for (const [index, first] of before.entries()) {
    terminal.type(first);
    await terminal.prompt(index + 2);
  }
  terminal.type(line);
  return { terminal, log };
}

/** As a window that is closed, or a connection of ssh that breaks: nobody holds the other side any more. */
async function close(terminal: Terminal): Promise<void> {
  terminal.signal('SIGKILL');
  await terminal.exited;
}

async function expectStopped(log: ServerLog, end: () => Promise<unknown>): Promise<void> {
  const { pid, port } = await log.ready(0);
  using held = await HeldRequest.open(port);
  await end();
  await log.event('draining');
  expect((await held.release()).servedBy).toBe(pid);
  await log.gone(pid);
  expect(await log.event('drain')).toMatchObject({ reason: 'shutdown', forced: 0 });
  expect(log.started).toEqual([pid]);
  await expect(ask({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
}

async function expectReplaced(log: ServerLog, generation: number): Promise<void> {
  const { pid, port } = await log.ready(generation - 1);
  process.kill(pid, 'SIGHUP');
  const next = await log.ready(generation);
  await log.gone(pid);
  expect((await ask({ port })).servedBy).toBe(next.pid);
}

describe('the terminal is closed: a process that was started there', () => {
  test('in the foreground finishes what it has, and leaves', async () => {
    await using scene = new Scene();
    const { terminal, log } = await sit(scene, node);
    await expectStopped(log, () => close(terminal));
  });

  test('in the background does so, too: the shell tells its jobs', async () => {
    await using scene = new Scene();
    const { terminal, log } = await sit(scene, `${node} &`);
    await expectStopped(log, () => close(terminal));
  });

  test('by nohup lives on, is replaced by a later signal, and so is its successor', async () => {
    await using scene = new Scene();
    const { terminal, log } = await sit(scene, `nohup ${node} >/dev/null 2>&1 &`);
    const { pid } = await log.ready(0);
    await close(terminal);
    await delay(forgotten);
    expect(isAlive(pid)).toBe(true);
    await expectReplaced(log, 1);
    await expectReplaced(log, 2);
    expect(log.of('drain')).toMatchObject([{ reason: 'handoff' }, { reason: 'handoff' }]);
  });

  test('by nohup, and replaced before: the successor lives on as well', async () => {
    await using scene = new Scene();
    const { terminal, log } = await sit(scene, `nohup ${node} >/dev/null 2>&1 &`);
    await expectReplaced(log, 1);
    const { pid, port } = await log.ready(1);
    await close(terminal);
    await delay(forgotten);
    expect((await ask({ port })).servedBy).toBe(pid);
    expect(log.started).toHaveLength(2);
    await expectReplaced(log, 2);
  });

  test('by setsid has none: a signal is an order at once', async () => {
    await using scene = new Scene();
    const { terminal, log } = await sit(scene, `setsid ${node} >/dev/null 2>&1 &`);
    await log.ready(0);
    await close(terminal);
    await expectReplaced(log, 1);
  });

  test('and disowned gets no signal then, and one that comes later is an order', async () => {
    await using scene = new Scene();
    const { terminal, log } = await sit(scene, `${node} >/dev/null 2>&1 & disown`);
    await log.ready(0);
    await close(terminal);
    await delay(forgotten);
    await expectReplaced(log, 1);
  });
});

test('a signal that somebody sends while the terminal is there replaces the process', async () => {
  await using scene = new Scene();
  const { log } = await sit(scene, node);
  await expectReplaced(log, 1);
});

test('the shell is killed: the kernel tells who is in the foreground, and takes the terminal away a moment later', async () => {
  await using scene = new Scene();
  const { terminal, log } = await sit(scene, node);
  const shell = (await terminal.prompt(1)).pid;
  await expectStopped(log, async () => process.kill(shell, 'SIGKILL'));
});

test('a login shell that tells its jobs to hang up before it ends (huponexit)', async () => {
  await using scene = new Scene();
  const log = new ServerLog(scene);
  const line = `shopt -s huponexit; ${node} >/dev/null 2>&1 & read -r; exit`;
  const login = scene.add(
    new Program(
      'script',
      ['-qfc', `bash --noprofile --login -i -c "$LINE"`, '/dev/null'],
      { LOG: log.path, CONTROL: scene.control, LINE: line, TERM: 'dumb' },
      undefined,
      { stdin: 'pipe' },
    ),
  );
  await expectStopped(log, async () => login.child.stdin?.write('\n'));
});

test('a process that leads its session itself, as in `ssh -t host node server.js` or `xterm -e`', async () => {
  await using scene = new Scene();
  const log = new ServerLog(scene);
  const env = { LOG: log.path, CONTROL: scene.control };
  const terminal = scene.add(
    new Program('script', ['-qfc', `exec ${node}`, '/dev/null'], env, undefined, { stdin: 'pipe' }),
  );
  await expectStopped(log, async () => terminal.signal('SIGKILL'));
});

test('a session of tmux that is killed', async (context) => {
  needs(context, 'tmux', '-V');
  await using scene = new Scene();
  const log = new ServerLog(scene);
  const socket = `${scene.folder}/tmux`;
  const tmux = (...args: string[]) =>
    scene.add(
      new Program('tmux', ['-S', socket, '-f', '/dev/null', ...args], { LOG: log.path, CONTROL: scene.control }),
    );
  await tmux('new-session', '-d', node).exited;
  await expectStopped(log, () => tmux('kill-server').exited);
});

test('what `fd-handoff listen` runs is told to stop, and not to reload', async () => {
  await using scene = new Scene();
  const program = `node -e "
    const tell = (event, details) => require('fs').appendFileSync(process.env.LOG, JSON.stringify({ event, pid: process.pid, ...details }) + '\\n');
    for (const signal of ['SIGHUP', 'SIGTERM']) process.on(signal, () => { tell('got', { signal }); if (signal === 'SIGTERM') process.exit(); });
    setInterval(() => {}, 1000); tell('up');"`.replaceAll('\n', ' ');
  const { terminal, log } = await sit(
    scene,
    `'${process.execPath}' '${commandFile}' listen 127.0.0.1:0 --ready-when after:1ms -- ${program}`,
  );
  const { pid } = await log.event('up');
  await close(terminal);
  await log.gone(pid);
  expect(log.of('got').map(({ signal }) => signal)).toEqual(['SIGTERM']);
});
