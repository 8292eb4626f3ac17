import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { pipe, setNonBlocking } from '../../lib/fd/descriptor.ts';
import { ask, askJson } from '../support/ask.ts';
import { askStatus } from '../support/ask-status.ts';
import { commandFile, runCommand } from '../support/command.ts';
import { eventually } from '../support/eventually.ts';
import { isAlive } from '../support/processes.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const program = fileURLToPath(new URL('./programs/talker.js', import.meta.url));

/** A process whose output is lost from the moment that `lose` is called. */
interface Talker {
  readonly child: ChildProcess;
  lose(): void;
}

function talker(line: readonly string[], env: NodeJS.ProcessEnv, output: number | 'pipe'): ChildProcess {
  const [command = '', ...args] = line;
  return spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', output, output], detached: true });
}

/** Opens a terminal, runs the program on it without making it its own, and closes it at the end of standard input. */
const onTerminal = `
import os, pty, subprocess, sys
master, slave = pty.openpty()
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, start_new_session=True)
os.close(slave)
sys.stdin.read()
os.close(master)
sys.exit(child.wait())
`;

const kinds: readonly { what: string; start: (line: readonly string[], env: NodeJS.ProcessEnv) => Talker }[] = [
  {
    what: 'a reader that is gone',
    start: (line, env) => {
      const child = talker(line, env, 'pipe');
      return {
        child,
        lose: () => {
          child.stdout?.destroy();
          child.stderr?.destroy();
        },
      };
    },
  },
  {
    what: 'a full disk',
    start: (line, env) => {
      const full = openSync('/dev/full', 'w');
      const child = talker(line, env, full);
      closeSync(full);
      return { child, lose: () => {} };
    },
  },
  {
    what: 'a reader that does not read',
    start: (line, env) => {
      const [reader, writer] = pipe();
      setNonBlocking(writer, true);
      try {
        for (;;) writeSync(writer, Buffer.alloc(4096));
      } catch {
        // It is full.
      }
      setNonBlocking(writer, false);
      const child = talker(line, env, writer);
      closeSync(writer);
      child.once('exit', () => closeSync(reader));
      return { child, lose: () => {} };
    },
  },
  {
    what: 'a terminal that was closed',
    start: (line, env) => {
      const child = spawn('python3', ['-c', onTerminal, ...line], {
        env: { ...process.env, ...env },
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      return { child, lose: () => child.stdin?.end() };
    },
  },
  {
    what: 'closed descriptors',
    start: (line, env) => ({
      child: talker(['sh', '-c', 'exec "$@" >&- 2>&-', 'sh', ...line], env, 'pipe'),
      lose: () => {},
    }),
  },
  {
    what: 'a file at the limit of its size',
    start: (line, env) => {
      const file = join(env.FOLDER as string, 'log');
      const script = 'ulimit -f 1; exec "$@" >>"$FOLDER/log" 2>&1';
      return { child: talker(['bash', '-c', script, 'bash', ...line], { ...env, LOG: file }, 'pipe'), lose: () => {} };
    },
  },
];

/** Who serves on the control path, once it is that generation. */
async function serving(scene: Scene, generation: number): Promise<{ pid: number; port: number }> {
  const signal = AbortSignal.timeout(60_000);
  for (;;) {
    const status = await askStatus(scene.control).catch(() => null);
    if (status?.generation === generation && status.phase === 'serving') {
      return { pid: status.pid, port: status.listeners[0]?.port as number };
    }
    signal.throwIfAborted();
    await delay(20);
  }
}

function gone(...pids: number[]): Promise<void> {
  return eventually(() => !pids.some(isAlive));
}

function end(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // As it should be.
    }
  }
}

test.each(kinds)(
  '$what: whoever serves goes on, whatever is said',
  async ({ start }) => {
    await using scene = new Scene();
    const { child, lose } = start([process.execPath, program], { CONTROL: scene.control, FOLDER: scene.folder });
    const pids: number[] = [child.pid as number];
    try {
      const first = await serving(scene, 0);
      pids.push(first.pid);
      lose();
      const where = { port: first.port };
      // The application's own words, and the status by a signal.
      await ask(where);
      for (let count = 0; count < 20; count++) process.kill(first.pid, 'SIGUSR1');
      // Versions that fail, with their words; by a signal, by the command, in a rehearsal, before an exec.
      for (const path of ['/upgrade?next=throws', '/upgrade?next=throws&preflight=true', '/reexec?next=throws']) {
        expect(await askJson(where, path)).toMatchObject({
          code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
          stderr: expect.stringContaining('no database'),
        });
      }
      expect((await ask(where)).servedBy).toBe(first.pid);
      // Versions that serve, and say something all the same.
      const { code } = await runCommand(['upgrade', scene.control]);
      expect(code).toBe(0);
      const second = await serving(scene, 1);
      pids.push(second.pid);
      process.kill(second.pid, 'SIGHUP');
      const third = await serving(scene, 2);
      pids.push(third.pid);
      await gone(first.pid, second.pid);
      await ask(where, '/reexec');
      expect(await serving(scene, 3)).toEqual(third);
      expect((await ask(where)).servedBy).toBe(third.pid);
      process.kill(third.pid, 'SIGTERM');
      await gone(third.pid);
    } finally {
      end(pids);
    }
  },
  120_000,
);

test('a successor that says more than anybody reads is no burden: it waits in no memory, and is counted', async () => {
  await using scene = new Scene();
  const script = `
    import { subscribe } from 'node:diagnostics_channel';
    import http from 'node:http';
    import { writeFileSync } from 'node:fs';
    import { handoff } from 'fd-handoff';
    const app = await handoff({ signals: false });
    await app.listen(http.createServer(), { name: 'web', host: '127.0.0.1', port: 0 });
    if (app.generation > 0) {
      for (let count = 0; count < 64; count++) {
        await new Promise((resolve) => process.stderr.write('x'.repeat(1024 * 1024), resolve));
      }
      process.exit(7);
    }
    await app.ready();
    let told;
    subscribe('fd-handoff:output', ({ stream, lost, error }) => { told = { stream, lost, error }; });
    const { exitCode } = await app.upgrade().catch((error) => error);
    writeFileSync('${scene.folder}/told', JSON.stringify({ exitCode, told, pending: process.stderr.writableLength }));
    process.exit();
  `;
  const [reader, writer] = pipe();
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'ignore', writer] });
  closeSync(writer);
  await once(child, 'exit');
  closeSync(reader);
  const { exitCode, told, pending } = JSON.parse(readFileSync(join(scene.folder, 'told'), 'utf8'));
  expect(exitCode).toBe(7);
  expect(told).toEqual({ stream: 'stderr', lost: expect.any(Number), error: null });
  expect(told.lost).toBeGreaterThan(60 * 1024 * 1024);
  expect(pending).toBeLessThanOrEqual(1024 * 1024);
}, 60_000);

test('status, on a full disk: the exit code says that nothing was told', async () => {
  await using scene = new Scene();
  await scene.server().ready(0);
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [commandFile, 'status', scene.control], { stdio: ['ignore', full, 'pipe'] });
  closeSync(full);
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  expect([code, stderr]).toEqual([1, expect.stringContaining('ENOSPC')]);
});

test.each([
  ['exec', ['exec', '--or-listen', '127.0.0.1:0', '--ready-when', 'after:10ms']],
  ['listen', ['listen', '127.0.0.1:0', '--ready-when', 'after:10ms', '--control']],
])(
  'the command %s serves on, without anybody who reads',
  async (_name, [name = '', ...flags]) => {
    await using scene = new Scene();
    const args = name === 'exec' ? [name, scene.control, ...flags] : [name, ...flags, scene.control];
    const full = openSync('/dev/full', 'w');
    const child = spawn(
      process.execPath,
      [commandFile, ...args, '--', 'sh', '-c', 'while :; do echo x; sleep 0.1; done'],
      {
        stdio: ['ignore', full, full],
      },
    );
    closeSync(full);
    try {
      await serving(scene, 0);
      // A successor that cannot be: the command notes that.
      expect((await runCommand(['upgrade', scene.control], { PATH: '/nowhere' })).code).toBe(0);
      await serving(scene, 1);
    } finally {
      const { pid } = await askStatus(scene.control);
      process.kill(pid, 'SIGTERM');
      await gone(pid);
      child.kill('SIGKILL');
    }
  },
  60_000,
);

/** Writes lines until it is told to stop, and is ended by what a shell is ended by where nobody reads. */
const shellHelper =
  'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo "line $i of $$" >&2; sleep 0.2; done';
const pythonHelper = `exec python3 -u -c '
import os, sys, time
for i in range(1, 21):
    sys.stderr.write("line %d of %d\\n" % (i, os.getpid()))
    time.sleep(0.2)
'`;

test.each([
  ['a shell', shellHelper],
  ['Python', pythonHelper],
])(
  'a helper in %s, started before ready(), outlives the old process, and its own',
  async (_what, HELPER) => {
    await using scene = new Scene();
    const server = scene.add(
      new Program(process.execPath, [program], { CONTROL: scene.control, HELPER }, scene.folder),
    );
    await server.ready(0);
    const helpers: number[] = [];
    for (const generation of [1, 2, 3]) {
      const { pid } = await serving(scene, generation - 1);
      process.kill(pid, 'SIGHUP');
      await server.ready(generation);
      const { pid: helper } = await server.event('helper', (told) => !helpers.includes(told.pid));
      helpers.push(helper);
      await gone(pid);
    }
    const last = await serving(scene, 3);
    process.kill(last.pid, 'SIGTERM');
    await gone(last.pid);
    // Each is told to the end, on the standard error that is meant.
    await eventually(
      () => helpers.every((helper) => server.stderr.includes(`line 20 of ${helper}`)),
      () => server.stderr.slice(-2_000),
    );
    for (const helper of helpers) {
      expect(server.stderr.split(`of ${helper}\n`).length - 1).toBe(20);
    }
  },
  60_000,
);
