// What an exec leaves of a process's surroundings: the channel to whoever has forked it, its children, and a machine on which
// nothing can be written.
import { type ChildProcess, execFileSync, type ForkOptions, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { askStatus } from '../support/ask-status.ts';
import { needs } from '../support/needs.ts';
import { peerFile } from '../support/peer-packages.ts';
import { portOf } from '../support/port-of.ts';
import { childrenOf, isAlive, zombiesOf } from '../support/processes.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const file = fileURLToPath(new URL('programs/forked.mjs', import.meta.url));
const serverFile = fileURLToPath(new URL('programs/server.js', import.meta.url));

/** How long a message may take to come; it ends a test that hangs. */
const deadline = 30_000;

/** A process of fork(), and all that it has said. */
class Forked {
  readonly child: ChildProcess;
  readonly said: Record<string, unknown>[] = [];
  readonly exited: Promise<unknown>;
  stderr = '';
  readonly #news = new EventEmitter();

  constructor(options: ForkOptions = {}) {
    this.child = fork(file, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [], ...options });
    this.exited = once(this.child, 'exit');
    this.child.stderr?.on('data', (text) => {
      this.stderr += text;
    });
    this.child.on('message', (message: Record<string, unknown>) => {
      this.said.push(message);
      this.#news.emit('news');
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  async says(key: string, value?: unknown): Promise<Record<string, unknown>> {
    const signal = AbortSignal.timeout(deadline);
    const find = () =>
      this.said.find((words) => words[key] !== undefined && (value === undefined || words[key] === value));
    for (let found = find(); ; found = find()) {
      if (found !== undefined) return found;
      await once(this.#news, 'news', { signal }).catch((cause) => {
        throw new Error(`no "${key}" was said: ${this.stderr}`, { cause });
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}

describe('the channel of fork()', () => {
  test.for(['json', 'advanced'] as const)(
    'goes on in the next image, and no message is lost (%s)',
    async (serialization) => {
      await using forked = new Forked({ serialization });
      await forked.says('ready', 0);
      let number = 0;
      let unsent = 0;
      const speak = () => {
        // Long and short ones: of a long one the pipe holds a part. No more than the process reads: it would never come to the
        // end of them on a busy machine.
        if (unsent > 20) return;
        unsent += 1;
        forked.child.send({ number: number++, text: 'x'.repeat(number % 7 === 0 ? 300_000 : 10) }, () => {
          unsent -= 1;
        });
      };
      const speaking = setInterval(speak, 1);
      for (let generation = 1; generation <= 3; generation++) {
        forked.child.kill('SIGHUP');
        expect(await forked.says('ready', generation)).toMatchObject({ pid: forked.pid });
      }
      clearInterval(speaking);
      unsent = 0;
      speak();
      await forked.says('heard', number - 1);
      const heard = forked.said.filter((words) => words.heard !== undefined);
      expect(heard.map((words) => words.heard)).toEqual(Array.from({ length: number }, (_, index) => index));
      expect(forked.said.filter((words) => (words as unknown) === 'ready')).toHaveLength(4);
      expect(forked.child.connected).toBe(true);
      expect(forked.stderr).toBe('');
    },
  );

  test('that is closed stays closed, and what is said then is heard by nobody', async () => {
    await using forked = new Forked();
    const { port } = await forked.says('ready', 0);
    forked.child.disconnect();
    forked.child.kill('SIGHUP');
    await expect
      .poll(() => forked.stderr, { timeout: deadline })
      .toContain('process.send() does nothing in this process');
    expect((await ask({ port: port as number })).servedBy).toBe(forked.pid);
  });

  test('is none of a successor: what it says to its parent does no harm', async () => {
    await using scene = new Scene();
    await using forked = new Forked({ env: { ...process.env, CONTROL: scene.control } });
    const { port } = await forked.says('ready', 0);
    forked.child.kill('SIGUSR2');
    await forked.exited;
    const { servedBy } = await ask({ port: port as number });
    expect(servedBy).not.toBe(forked.pid);
    process.kill(servedBy as number, 'SIGUSR2');
    await expect
      .poll(async () => (await ask({ port: port as number })).servedBy, { timeout: deadline })
      .not.toBe(servedBy);
    process.kill((await ask({ port: port as number })).servedBy as number, 'SIGTERM');
    expect(forked.stderr).not.toContain('TypeError');
  });
});

test('children of before are waited for by the next image, and only when they have ended', async () => {
  await using forked = new Forked();
  await forked.says('ready', 0);
  const helpers: number[] = [];
  for (let count = 0; count < 3; count++) {
    forked.child.send({ order: 'help' });
    await expect.poll(() => forked.said.filter((words) => words.helper !== undefined).length).toBe(count + 1);
  }
  helpers.push(...forked.said.flatMap((words) => (words.helper === undefined ? [] : [words.helper as number])));
  forked.child.kill('SIGHUP');
  await forked.says('ready', 1);
  expect(childrenOf(forked.pid).sort()).toEqual([...helpers].sort());
  process.kill(helpers[0] as number, 'SIGKILL');
  await expect.poll(() => childrenOf(forked.pid).length).toBe(2);
  // Once more: those that are left are told on.
  forked.child.kill('SIGHUP');
  await forked.says('ready', 2);
  for (const pid of helpers.slice(1)) process.kill(pid, 'SIGKILL');
  await expect.poll(() => childrenOf(forked.pid)).toEqual([]);
  // Node waits for its own as ever.
  forked.child.send({ order: 'help' });
  await expect.poll(() => childrenOf(forked.pid).length).toBe(1);
  process.kill(childrenOf(forked.pid)[0] as number, 'SIGKILL');
  await expect.poll(() => [childrenOf(forked.pid), zombiesOf(forked.pid)]).toEqual([[], []]);
});

describe('a machine that can be written nowhere', () => {
  test('re-executes: there is no folder for temporary files', async () => {
    await using scene = new Scene();
    const program = scene.server({ TMPDIR: '/no/such/folder' });
    const port = await portOf(program);
    await ask({ port }, '/admin/reexec', {});
    expect((await program.ready(1)).pid).toBe(program.pid);
  });

  test('re-executes: its root is read-only', async (context) => {
    // Folders for temporary files can be file systems of their own.
    const readOnly = 'for place in / /tmp /var/tmp /dev/shm; do mount -o remount,bind,ro $place; done 2>/dev/null; ';
    const check = '! touch /tmp/written 2>/dev/null && ! touch /dev/shm/written 2>/dev/null';
    needs(context, 'unshare', '-m', 'sh', '-c', readOnly + check);
    await using scene = new Scene();
    const program = scene.add(
      new Program('unshare', ['-m', 'sh', '-c', `${readOnly}exec '${process.execPath}' '${serverFile}'`], {
        TMPDIR: '',
      }),
    );
    const port = await portOf(program);
    await ask({ port }, '/admin/reexec', {});
    expect((await program.ready(1)).pid).toBe(program.pid);
  });
});

describe('PM2', () => {
  test('keeps its hold of a process that re-executes: the PID, the channel, and its readiness', async (context) => {
    const pm2File = peerFile(context, 'pm2/bin/pm2');
    await using scene = new Scene();
    const env = {
      ...process.env,
      PM2_HOME: join(scene.folder, 'pm2'),
      CONTROL: scene.control,
      NODE_CHANNEL_FD: undefined,
    };
    const pm2 = (...args: string[]) => execFileSync(process.execPath, [pm2File, ...args], { env, encoding: 'utf8' });
    const listed = () => {
      const text = pm2('jlist');
      const [one] = JSON.parse(text.slice(text.indexOf('[{')));
      return { pid: one.pid, status: one.pm2_env.status, restarts: one.pm2_env.restart_time };
    };
    try {
      pm2('start', file, '--name', 'served', '--wait-ready', '--listen-timeout', '20000');
      const before = listed();
      expect(before).toMatchObject({ status: 'online', restarts: 0 });
      for (let generation = 1; generation <= 2; generation++) {
        pm2('sendSignal', 'SIGHUP', 'served');
        await expect
          .poll(() => askStatus(scene.control).catch(() => null), { timeout: deadline })
          .toMatchObject({ pid: before.pid, generation });
      }
      expect(listed()).toEqual(before);
      pm2('stop', 'served');
      expect(isAlive(before.pid)).toBe(false);
    } finally {
      pm2('kill');
    }
    expect(existsSync(scene.control)).toBe(false);
  });
});
