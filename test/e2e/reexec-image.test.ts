import { spawn } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { outcome } from '../support/child-script.ts';
import { eventually } from '../support/eventually.ts';
import { portOf } from '../support/port-of.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const file = fileURLToPath(new URL('programs/image.js', import.meta.url));

/** O_NONBLOCK and O_CLOEXEC as Linux has them, and as `/proc/<pid>/fdinfo` writes them: in octal. */
const nonBlocking = 0o4000;
const closeOnExec = 0o2000000;

function start(scene: Scene, env: NodeJS.ProcessEnv = {}): Program {
  return scene.add(new Program(process.execPath, [file], { CONTROL: scene.control, ...env }));
}

/** The flags of every descriptor of a process, by what it is open on; what the runtime keeps for itself left out. */
function flagsOf(pid: number): Map<string, number> {
  const flags = new Map<string, number>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
    if (target.startsWith('anon_inode:')) continue;
    const [, octal] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1')) ?? [];
    flags.set(`${fd} ${target}`, Number.parseInt(octal as string, 8));
  }
  return flags;
}

test('the next image has the descriptors of the manifest and nothing else, and its standard streams block', async () => {
  await using scene = new Scene();
  // A program that knows nothing of the library, and opens nothing itself.
  const program = start(scene, { IMAGE: JSON.stringify({ command: '/bin/sleep', args: ['600'] }) });
  await program.ready(0);
  const before = flagsOf(program.pid);
  program.signal('SIGUSR1');
  // Its name and not its file: an exec changes the file before it closes the descriptors, and the name after that.
  await eventually(() => readFileSync(`/proc/${program.pid}/comm`, 'latin1') === 'sleep\n');
  const after = flagsOf(program.pid);
  const targets = [...after.keys()].map((key) => key.slice(key.indexOf(' ') + 1));
  // The file that says which they are is new. What the test itself has inherited unmarked is nobody's affair here.
  const survived = [...before].filter(([key, flags]) => after.has(key) && (flags & closeOnExec) !== 0);
  expect([...after.keys()].filter((key) => !before.has(key))).toEqual([expect.stringContaining('fd-handoff')]);
  // The standard streams; the log, the listener and the control path.
  expect(survived).toHaveLength(3 + 3);
  expect(targets).toContain(file);
  expect(targets).not.toContain('/etc/hostname');
  for (const fd of [0, 1, 2]) {
    const [, flags] = [...after].find(([key]) => key.startsWith(`${fd} `)) ?? [];
    expect((flags as number) & nonBlocking).toBe(0);
  }
});

test('what was written before is not cut off, and comes before what the next image writes', async () => {
  await using scene = new Scene();
  const size = 1024 * 1024;
  const IMAGE = JSON.stringify({ command: '/bin/echo', args: ['the next image'] });
  const env = { ...process.env, CONTROL: scene.control, IMAGE, OUTPUT: String(size) };
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  await new Promise<void>((resolve) => {
    child.stdout.once('data', (line: Buffer) => {
      // It is ready. From now on nobody reads until more is written than a pipe holds.
      child.stdout.pause().unshift(line);
      child.kill('SIGUSR1');
    });
    child.stderr.once('data', () => resolve());
  });
  const over = outcome(child);
  child.stdout.resume();
  const { stdout, code } = await over;
  expect(code).toBe(0);
  const [, ready, written] = /^(\{.*\}\n)(\.*)the next image\n$/s.exec(stdout) ?? [];
  expect(ready).toContain('ready');
  expect(written).toHaveLength(size);
});

const failures: { title: string; cause: string; env: (scene: Scene) => NodeJS.ProcessEnv }[] = [
  { title: 'a missing file', cause: 'ENOENT', env: () => ({ IMAGE: image('/no/such/program') }) },
  { title: 'a file without permission', cause: 'EACCES', env: () => ({ IMAGE: image('/etc/passwd') }) },
  { title: 'a folder', cause: 'EACCES', env: ({ folder }) => ({ IMAGE: image(folder) }) },
  {
    title: 'a file that is no program',
    cause: 'ENOEXEC',
    env: ({ folder }) => {
      const path = join(folder, 'program');
      writeFileSync(path, 'no program');
      chmodSync(path, 0o755);
      return { IMAGE: image(path) };
    },
  },
  {
    title: 'arguments that are too long',
    cause: 'E2BIG',
    env: () => ({ IMAGE: JSON.stringify({ preflight: false }), LONG_ARGUMENT: String(4 * 1024 * 1024) }),
  },
];

function image(command: string): string {
  return JSON.stringify({ command, preflight: false });
}

test.each(failures)('$title: the exec fails with $cause, and everything is as it was', async ({ cause, env }) => {
  await using scene = new Scene();
  const program = start(scene, env(scene));
  const port = await portOf(program);
  const before = flagsOf(program.pid);
  for (let attempt = 1; attempt <= 3; attempt++) {
    program.signal('SIGUSR1');
    const failed = () => program.told.filter(({ event }) => event === 'failed');
    await expect.poll(() => failed().length, { timeout: 30_000 }).toBe(attempt);
    expect(failed().at(-1)).toMatchObject({
      code: 'ERR_HANDOFF_EXEC_FAILED',
      message: expect.stringContaining('serves on'),
      cause,
    });
    expect((await ask({ port })).status).toBe(200);
    // Close-on-exec and O_NONBLOCK of each, and none more. A connection that was answered is closed a moment later.
    await expect.poll(() => flagsOf(program.pid), { timeout: 30_000 }).toEqual(before);
  }
});

test('arguments that are too long are found out by the preflight, before anything is stopped', async () => {
  await using scene = new Scene();
  const program = start(scene, { LONG_ARGUMENT: String(4 * 1024 * 1024) });
  const port = await portOf(program);
  program.signal('SIGUSR1');
  expect(await program.event('failed')).toMatchObject({
    code: 'ERR_HANDOFF_EXEC_FAILED',
    message: expect.stringMatching(/^The preflight could not be started/),
    cause: 'E2BIG',
  });
  expect((await ask({ port })).status).toBe(200);
});

test('in a worker thread reexec() is refused: it would take the whole process along', async () => {
  await using scene = new Scene();
  const program = start(scene, { THREAD: 'yes' });
  const port = await portOf(program);
  expect(await program.event('refused')).toMatchObject({
    code: 'ERR_HANDOFF_EXEC_FAILED',
    message: expect.stringContaining('main thread'),
  });
  expect((await ask({ port })).status).toBe(200);
});
