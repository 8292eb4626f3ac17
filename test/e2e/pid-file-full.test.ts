import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, type TestContext, test } from 'vitest';
import { HeldRequest } from '../support/held-request.ts';
import { needs } from '../support/needs.ts';
import { portOf } from '../support/port-of.ts';
import { isAlive } from '../support/processes.ts';
import { Program, serverProgram } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

/** A server whose PID file is in a file system of its own, in a mount namespace that the next versions are in as well. */
class SmallDisk extends Scene {
  readonly program: Program;

  constructor(
    context: TestContext,
    mountOptions: string,
    signals: object = { SIGHUP: 'upgrade', SIGTERM: 'shutdown' },
  ) {
    needs(context, 'unshare', '-m', 'mount', '-t', 'tmpfs', 'none', '/mnt');
    super();
    const mount = `mount -t tmpfs -o ${mountOptions} none /mnt`;
    this.program = this.add(
      new Program('unshare', ['-m', 'sh', '-c', `${mount} && exec '${process.execPath}' '${serverProgram}'`], {
        OPTIONS: JSON.stringify({ pidFile: '/mnt/app.pid', signals }),
        CONTROL: this.control,
      }),
    );
  }

  /** Its folder, as it is seen from here for as long as that is open. */
  open(): Disposable & { readonly path: string } {
    const folder = openSync(`/proc/${this.program.pid}/root/mnt`, constants.O_RDONLY | constants.O_DIRECTORY);
    return { path: `/proc/self/fd/${folder}`, [Symbol.dispose]: () => closeSync(folder) };
  }
}

function fill(folder: string): void {
  expect(() => writeFileSync(join(folder, 'ballast'), Buffer.alloc(1 << 20))).toThrow('ENOSPC');
}

/** Reads the file again and again; `wrong` is what was no number of a living process. */
function watch(file: string) {
  const wrong: string[] = [];
  let over = false;
  const read = () => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      return (error as Error).message;
    }
  };
  const reading = (async () => {
    while (!over) {
      for (let times = 0; times < 50; times++) {
        const text = read();
        if (!/^\d+\n+$/.test(text) || (!isAlive(Number(text)) && read() === text)) wrong.push(text);
      }
      await turn();
    }
  })();
  const stop = async () => {
    over = true;
    await reading;
    return wrong;
  };
  return { stop };
}

test.for([
  ['blocks', 'size=16k'],
  // The folder itself, the file, and the ballast.
  ['inodes', 'size=1m,nr_inodes=3'],
] as const)(
  'a disk without %s: the file names a living owner through five upgrades, and goes with the last',
  async ([, options], context) => {
    await using scene = new SmallDisk(context, options);
    const { program } = scene;
    await program.ready(0);
    using folder = scene.open();
    const file = join(folder.path, 'app.pid');
    fill(folder.path);
    const watching = watch(file);
    let owner = program.pid;
    try {
      for (let generation = 1; generation <= 5; generation++) {
        program.signal('SIGHUP', owner);
        const { pid } = await program.ready(generation);
        const former = owner;
        owner = pid;
        expect(readFileSync(file, 'utf8')).toBe(`${pid}\n`);
        await program.event('drain', (told) => told.pid === former);
        await expect.poll(() => isAlive(former)).toBe(false);
        expect(readFileSync(file, 'utf8')).toBe(`${pid}\n`);
      }
    } finally {
      expect(await watching.stop()).toEqual([]);
    }
    program.signal('SIGTERM', owner);
    await expect.poll(() => existsSync(file)).toBe(false);
    expect(readdirSync(folder.path)).toEqual(['ballast']);
  },
);

test('a re-exec on a full disk keeps the file', async (context) => {
  await using scene = new SmallDisk(context, 'size=16k', { SIGHUP: 'reexec', SIGTERM: 'shutdown' });
  const { program } = scene;
  await program.ready(0);
  using folder = scene.open();
  const file = join(folder.path, 'app.pid');
  fill(folder.path);
  program.signal('SIGHUP');
  await program.ready(1);
  expect(readFileSync(file, 'utf8')).toBe(`${program.pid}\n`);
  program.signal('SIGTERM');
  await program.exited;
  expect(existsSync(file)).toBe(false);
});

test('a give-back on a full disk names the predecessor again', async (context) => {
  await using scene = new SmallDisk(context, 'size=16k');
  const { program } = scene;
  const port = await portOf(program);
  using folder = scene.open();
  const file = join(folder.path, 'app.pid');
  fill(folder.path);
  using held = await HeldRequest.open(port);
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  expect(readFileSync(file, 'utf8')).toBe(`${pid}\n`);
  program.signal('SIGKILL', pid);
  await program.event('give-back');
  expect(readFileSync(file, 'utf8')).toBe(`${program.pid}\n`);
  await held.release();
});

test('a successor that cannot write the file at all does not take it away', async (context) => {
  await using scene = new SmallDisk(context, 'size=1m');
  const { program } = scene;
  await program.ready(0);
  using folder = scene.open();
  const file = join(folder.path, 'app.pid');
  // One that has no PID file of its own stands for it: it has written nothing when its predecessor leaves.
  const second = scene.server();
  const { pid } = await second.ready(1);
  await program.exited;
  expect(readFileSync(file, 'utf8')).toBe(`${pid}\n`);
});
