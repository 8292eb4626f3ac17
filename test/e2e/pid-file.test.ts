import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { HeldRequest } from '../support/held-request.ts';
import { portOf } from '../support/port-of.ts';
import { isAlive } from '../support/processes.ts';
import { Program, type Told } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

/** A scene whose servers have a PID file. */
class PidScene extends Scene {
  readonly pidFile = join(this.folder, 'app.pid');

  serverWithFile(env: NodeJS.ProcessEnv = {}, options: object = {}): Program {
    return this.server({ OPTIONS: JSON.stringify({ pidFile: this.pidFile, ...options }), ...env });
  }

  named(): number {
    return Number(readFileSync(this.pidFile, 'utf8'));
  }
}

test('it is there when the process is ready, and gone when it is', async () => {
  await using scene = new PidScene();
  const program = scene.serverWithFile();
  await program.event('starting');
  await program.ready(0);
  expect(readFileSync(scene.pidFile, 'utf8')).toBe(`${program.pid}\n`);
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(readdirSync(scene.folder)).toEqual([]);
});

test('it names the service through ten upgrades: never nobody, never half a number, never a process that is gone', async () => {
  await using scene = new PidScene();
  const program = scene.serverWithFile();
  const port = await portOf(program);
  const seen: string[] = [];
  const wrong: string[] = [];
  let reads = 0;
  let over = false;
  const read = () => {
    try {
      return readFileSync(scene.pidFile, 'utf8');
    } catch (error) {
      return (error as Error).message;
    }
  };
  const reading = (async () => {
    while (!over) {
      const text = read();
      reads++;
      if (text !== seen.at(-1)) seen.push(text);
      const proper = /^\d+\n$/.test(text);
      // A process may leave between the two looks; what the file names must live while it names it.
      if (!proper || (!isAlive(Number(text)) && read() === text)) wrong.push(text);
      await turn();
    }
  })();
  try {
    for (let generation = 1; generation <= 10; generation++) {
      program.signal('SIGHUP', scene.named());
      const { pid } = await program.ready(generation);
      expect(scene.named()).toBe(pid);
      await program.event('late-state', (told) => told.pid === pid);
      await expect.poll(() => seen.at(-1)).toBe(`${pid}\n`);
    }
  } finally {
    over = true;
    await reading;
  }
  expect(wrong).toEqual([]);
  expect(seen).toHaveLength(11);
  expect(reads).toBeGreaterThan(100);
  expect((await ask({ port })).servedBy).toBe(scene.named());
});

test('a handoff that fails does not touch it', async () => {
  await using scene = new PidScene();
  const program = scene.serverWithFile();
  await program.ready(0);
  const failing = scene.serverWithFile({ BEHAVIOUR: 'exit' });
  await failing.exited;
  await program.event('rollback');
  expect(scene.named()).toBe(program.pid);
  // Nor does one that breaks off right after its newline.
  const dying = scene.serverWithFile({ BEHAVIOUR: 'die-at-newline' });
  expect((await dying.exited).signal).toBe('SIGKILL');
  // Whichever the predecessor saw first, the newline or the end of the connection.
  const over = ({ event }: Told) => event === 'give-back' || event === 'rollback';
  await expect.poll(() => program.told.filter(over).length, { timeout: 30_000 }).toBe(2);
  expect(scene.named()).toBe(program.pid);
});

test('it names the predecessor again when the successor dies while that drains', async () => {
  await using scene = new PidScene();
  const program = scene.serverWithFile();
  const port = await portOf(program);
  using held = await HeldRequest.open(port);
  const second = scene.serverWithFile();
  await second.ready(1);
  expect(scene.named()).toBe(second.pid);
  second.signal('SIGKILL');
  await program.event('give-back');
  expect(scene.named()).toBe(program.pid);
  expect((await held.release()).servedBy).toBe(program.pid);
});

test.each([
  ['with a control path', true],
  ['without one', false],
])('one that stands beside the owner is named when that leaves, %s', async (_, withControl) => {
  await using scene = new PidScene();
  const OPTIONS = JSON.stringify({ pidFile: scene.pidFile, repeatWithin: 0 });
  const program = withControl ? scene.server({ OPTIONS }) : scene.add(Program.server({ OPTIONS }));
  const port = await portOf(program);
  program.signal('SIGUSR2');
  const second = await program.ready(1);
  await program.event('commit', ({ mode }) => mode === 'keep');
  program.signal('SIGUSR2');
  const third = await program.event('ready', ({ pid }) => pid !== program.pid && pid !== second.pid);
  expect(scene.named()).toBe(program.pid);
  // The one that has no role leaves without touching it.
  program.signal('SIGTERM', third.pid);
  await program.event('drain', ({ pid }) => pid === third.pid);
  expect(scene.named()).toBe(program.pid);
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(scene.named()).toBe(second.pid);
  expect((await ask({ port })).servedBy).toBe(second.pid);
  program.signal('SIGTERM', second.pid);
  await expect.poll(() => existsSync(scene.pidFile)).toBe(false);
});

test('one that stands beside the owner is named when that dies', async () => {
  await using scene = new PidScene();
  const program = scene.serverWithFile();
  await program.ready(0);
  program.signal('SIGUSR2');
  const second = await program.ready(1);
  await program.event('commit', ({ mode }) => mode === 'keep');
  program.signal('SIGKILL');
  await expect.poll(() => scene.named()).toBe(second.pid);
});

test('one that shares the listeners leaves the owner’s file alone, and has its own', async () => {
  await using scene = new PidScene();
  const program = scene.serverWithFile();
  await program.ready(0);
  const same = scene.serverWithFile({}, { share: true });
  await same.ready(1);
  expect(scene.named()).toBe(program.pid);
  const own = join(scene.folder, 'worker.pid');
  const other = scene.serverWithFile({}, { share: true, pidFile: own });
  await other.ready(1);
  expect(readFileSync(own, 'utf8')).toBe(`${other.pid}\n`);
  for (const worker of [same, other]) {
    worker.signal('SIGTERM');
    expect(await worker.exited).toEqual({ code: 0, signal: null });
  }
  expect(existsSync(own)).toBe(false);
  expect(scene.named()).toBe(program.pid);
});

test('a re-exec keeps it', async () => {
  await using scene = new PidScene();
  const program = scene.serverWithFile({}, { signals: { SIGHUP: 'reexec', SIGTERM: 'shutdown' } });
  await program.ready(0);
  program.signal('SIGHUP');
  await program.ready(1);
  expect(scene.named()).toBe(program.pid);
  program.signal('SIGTERM');
  await program.exited;
  expect(existsSync(scene.pidFile)).toBe(false);
});

test('a folder that is not there is told before anything is taken over', async () => {
  await using scene = new PidScene();
  const missing = join(scene.folder, 'missing', 'app.pid');
  const program = scene.server({ OPTIONS: JSON.stringify({ pidFile: missing }) });
  expect((await program.exited).code).toBe(1);
  expect(program.stderr).toMatch(/PID file .*missing\/app\.pid cannot be written: ENOENT/);
  expect(readdirSync(scene.folder)).toEqual([]);
});

test('after commit a file that cannot be written is only reported', async () => {
  await using scene = new PidScene();
  const first = scene.serverWithFile();
  const port = await portOf(first);
  const successor = scene.serverWithFile({ BEHAVIOUR: 'wait' });
  await successor.event('waiting');
  rmSync(scene.pidFile);
  mkdirSync(scene.pidFile);
  successor.signal('SIGCONT');
  const second = await successor.ready(1);
  expect(await successor.event('error')).toMatchObject({ message: expect.stringContaining(scene.pidFile) });
  expect((await ask({ port })).servedBy).toBe(second.pid);
  expect(await first.exited).toEqual({ code: 0, signal: null });
});

test('a stale file is overwritten; one that names a living stranger too, with a warning', async () => {
  await using scene = new PidScene();
  writeFileSync(scene.pidFile, `${spawnSync(process.execPath, ['-e', '0']).pid}\n`);
  const program = scene.serverWithFile();
  await program.ready(0);
  expect(scene.named()).toBe(program.pid);
  expect(program.stderr).toBe('');
  program.signal('SIGTERM');
  await program.exited;
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  try {
    writeFileSync(scene.pidFile, `${stranger.pid}\n`);
    const other = scene.serverWithFile();
    await other.ready(0);
    expect(scene.named()).toBe(other.pid);
    await expect.poll(() => other.stderr).toMatch(`named process ${stranger.pid}`);
  } finally {
    stranger.kill('SIGKILL');
  }
});

test('the file of another process is not removed', async () => {
  await using scene = new PidScene();
  const program = scene.serverWithFile();
  await program.ready(0);
  writeFileSync(scene.pidFile, `${process.pid}\n`);
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(scene.named()).toBe(process.pid);
});

test('a successor that knows nothing of the file is named in it all the same', async () => {
  await using scene = new PidScene();
  const program = scene.serverWithFile();
  const port = await portOf(program);
  const script = `
    const fs = require('node:fs');
    fs.writeSync(Number(process.env.FD_HANDOFF_READY_FD), '\\n');
    setInterval(() => {}, 1000);
  `;
  const answer = await ask({ port }, '/admin/upgrade', { command: process.execPath, args: ['-e', script] });
  const { pid } = JSON.parse(answer.text);
  program.pids.add(pid);
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(scene.named()).toBe(pid);
});

test('a relative path is meant from where the process was started', async () => {
  await using scene = new PidScene();
  const source = `
    import { handoff } from ${JSON.stringify(import.meta.resolve('fd-handoff'))};
    const app = await handoff({ pidFile: 'relative.pid' });
    process.chdir('/');
    setInterval(() => {}, 1000);
    await app.ready();
    console.log(JSON.stringify({ event: 'ready', pid: process.pid, generation: 0 }));
  `;
  const program = scene.add(new Program(process.execPath, ['--input-type=module', '-e', source], {}, scene.folder));
  await program.ready(0);
  expect(readFileSync(join(scene.folder, 'relative.pid'), 'utf8')).toBe(`${program.pid}\n`);
});
