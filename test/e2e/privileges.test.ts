import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { outcome } from '../support/child-script.ts';
import { commandFile, runCommand } from '../support/command.ts';
import { isAlive } from '../support/processes.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';

const asRoot = process.getuid?.() === 0;

/** Debian's "nobody", whom the service becomes, and a user whom nobody knows. */
const nobody = 65534;
const mallory = 65533;

const program = fileURLToPath(new URL('programs/dropping-server.js', import.meta.url));

/** A port for root alone that nobody has. */
async function lowPort(): Promise<number> {
  for (;;) {
    const port = 600 + Math.floor(Math.random() * 400);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    await new Promise((resolve) => server.close(resolve));
    if (free) return port;
  }
}

function asUser(uid: number, ...more: readonly string[]): readonly string[] {
  return ['setpriv', '--reuid', String(uid), '--regid', String(uid), '--clear-groups', ...more];
}

/** A folder for the service's files, and starts of the service by several users. */
class PrivilegeScene extends Scene {
  readonly run = join(this.folder, 'run');
  override readonly control = join(this.run, 'control.sock');
  readonly pidFile = join(this.run, 'app.pid');
  port = 0;

  /** @param uid whose the folder is */
  constructor(uid = 0) {
    super();
    chmodSync(this.folder, 0o755);
    mkdirSync(this.run);
    chownSync(this.run, uid, uid);
  }

  start(env: NodeJS.ProcessEnv = {}, by: readonly string[] = []): Program {
    const [command, ...args] = [...by, process.execPath, program];
    return this.add(
      new Program(command as string, args, {
        CONTROL: this.control,
        PID_FILE: this.pidFile,
        PORTS: String(this.port),
        USER_ID: String(nobody),
        ...env,
      }),
    );
  }

  async ask(): Promise<{ pid: number; uid: number }> {
    const { servedBy, text } = await ask({ port: this.port });
    return { pid: servedBy, uid: Number(text) };
  }

  ownerOf(path: string): { uid: number; mode: number } {
    const { uid, mode } = statSync(path);
    return { uid, mode: mode & 0o777 };
  }

  command(uid: number, ...args: readonly string[]) {
    const [setpriv, ...rest] = [...asUser(uid), process.execPath, commandFile, ...args];
    const env = { ...process.env, CI: undefined, NO_COLOR: undefined, FORCE_COLOR: undefined };
    return outcome(spawn(setpriv as string, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] }));
  }
}

let scene: PrivilegeScene;

async function begin(uid?: number): Promise<void> {
  scene = new PrivilegeScene(uid);
  scene.port = await lowPort();
}

describe('a service that root has started, and that has become another user', () => {
  beforeEach((context) => context.skip(!asRoot, 'only root can bind these ports and become another user'));
  afterEach(() => scene?.[Symbol.asyncDispose]());

  test.for([
    { drop: 'after', folder: 'of root', uid: 0 },
    { drop: 'before', folder: 'of root', uid: 0 },
    { drop: 'after', folder: 'of its user', uid: nobody },
    { drop: 'before', folder: 'of its user', uid: nobody },
  ])(
    'is replaced in every way without a failure: $drop ready(), in a folder $folder',
    { timeout: 120_000 },
    async ({ drop, uid }) => {
      await begin(uid);
      const first = scene.start({ DROP: drop });
      let { pid } = await first.ready(0);
      const load = new StrictLoad(scene.port);
      let teller = first;
      const arrived = async (generation: number) => {
        const ready = await teller.ready(generation);
        expect(ready).toMatchObject({ uid: nobody });
        pid = ready.pid;
        await load.servedBy(pid);
        expect(Number(readFileSync(scene.pidFile, 'utf8'))).toBe(pid);
        expect(scene.ownerOf(scene.pidFile)).toEqual({ uid: nobody, mode: 0o644 });
        expect(scene.ownerOf(scene.control)).toEqual({ uid: nobody, mode: 0o600 });
      };
      await arrived(0);
      teller.signal('SIGHUP', pid);
      await arrived(1);
      teller = scene.start({ DROP: drop });
      await arrived(2);
      teller = scene.start({ DROP: drop }, asUser(nobody));
      await arrived(3);
      teller = scene.start({ DROP: drop });
      await arrived(4);
      expect(await runCommand(['upgrade', scene.control])).toMatchObject({ code: 0 });
      await arrived(5);
      expect(await scene.command(nobody, 'upgrade', scene.control)).toMatchObject({ code: 0 });
      await arrived(6);
      teller.signal('SIGUSR1', pid);
      await arrived(7);
      expect(await load.end()).toBeGreaterThan(100);

      teller.signal('SIGTERM', pid);
      await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
      // What it may remove is gone; in a folder of root's a socket that nobody listens on stays, and a file that names nobody.
      expect(existsSync(scene.control)).toBe(uid === 0);
      expect(existsSync(scene.pidFile) ? readFileSync(scene.pidFile, 'utf8') : 'gone').toBe(uid === 0 ? '' : 'gone');
      const told = scene.start({ DROP: drop });
      await told.ready(0);
      expect(Number(readFileSync(scene.pidFile, 'utf8'))).toBe(told.pid);
      for (const { told: all } of [first, teller, told]) {
        expect(all.filter(({ event }) => ['error', 'rollback', 'warned'].includes(event))).toEqual([]);
      }
    },
  );

  test('root takes over where only root can have put the socket, and nobody was named', async () => {
    await begin();
    const first = scene.start({ NAMED: 'no', DROP: 'before', PID_FILE: undefined });
    await first.ready(0);
    const load = new StrictLoad(scene.port);
    await load.servedBy(first.pid);
    first.signal('SIGHUP');
    const second = await first.ready(1);
    const third = scene.start({ NAMED: 'no', DROP: 'before', PID_FILE: undefined });
    expect(await third.ready(2)).toMatchObject({ uid: nobody });
    await load.servedBy(third.pid);
    await load.end();
    await expect.poll(() => isAlive(second.pid)).toBe(false);
  });

  test('root takes nothing from a socket that a user has put where it looks, and gives nothing to it', async () => {
    await begin(mallory);
    const theirs = scene.start({ USER_ID: String(mallory), PORTS: '0', PID_FILE: undefined }, asUser(mallory));
    await theirs.ready(0);
    for (const NAMED of ['no', 'yes']) {
      const root = scene.start({ NAMED, PID_FILE: undefined });
      expect(await root.exited).toMatchObject({ code: 1 });
      expect(root.stderr).toMatch(/ERR_HANDOFF_UNTRUSTED_PEER.*user 65533.*name it/s);
    }
    // By a link of theirs on the way to a socket of theirs, by a name in a sticky folder, and through a folder of theirs.
    const [sticky, real] = [join(scene.folder, 'sticky'), join(scene.folder, 'real')];
    mkdirSync(sticky);
    chmodSync(sticky, 0o1777);
    mkdirSync(real);
    symlinkSync(scene.run, join(sticky, 'way'));
    linkSync(scene.control, join(sticky, 'app.sock'));
    mkdirSync(join(scene.run, 'inner'));
    linkSync(scene.control, join(scene.run, 'inner', 'app.sock'));
    const ways = [join(sticky, 'way', 'control.sock'), join(sticky, 'app.sock'), join(scene.run, 'inner', 'app.sock')];
    for (const CONTROL of ways) {
      const root = scene.start({ CONTROL, NAMED: 'no', PID_FILE: undefined });
      expect(await root.exited, CONTROL).toMatchObject({ code: 1 });
      expect(root.stderr, CONTROL).toContain('ERR_HANDOFF_UNTRUSTED_PEER');
    }
    expect(isAlive(theirs.pid)).toBe(true);
    expect(theirs.told.filter(({ event }) => event === 'error')).toEqual([]);
  });

  test('a new port below 1024 fails in a successor of SIGHUP, with what to do, and a start by root has it', async () => {
    await begin();
    const first = scene.start();
    await first.ready(0);
    const load = new StrictLoad(scene.port);
    const more = { PORTS: `${scene.port},${await lowPort()}` };
    const refused = scene.start(more, asUser(nobody));
    expect(await refused.exited).toMatchObject({ code: 1 });
    expect(refused.stderr).toMatch(/EACCES.*user 65534: start it as root, which takes over/s);
    expect(await scene.ask()).toEqual({ pid: first.pid, uid: nobody });
    const second = scene.start(more);
    await second.ready(1);
    await load.servedBy(second.pid);
    second.signal('SIGHUP');
    const third = await second.ready(2);
    await load.servedBy(third.pid);
    expect((third.addresses as { inherited: boolean }[]).map(({ inherited }) => inherited)).toEqual([true, true]);
    await load.end();
  });

  test('with the capability in place of root: bound, replaced, and a new low port, by its own user', async () => {
    await begin(nobody);
    const capable = asUser(nobody, '--inh-caps', '+net_bind_service', '--ambient-caps', '+net_bind_service');
    const first = scene.start({}, capable);
    await first.ready(0);
    const load = new StrictLoad(scene.port);
    first.signal('SIGHUP');
    const second = await first.ready(1);
    await load.servedBy(second.pid);
    const third = scene.start({ PORTS: `${scene.port},${await lowPort()}` }, capable);
    await third.ready(2);
    await load.servedBy(third.pid);
    await load.end();
  });

  test('in a folder that its user may not even search it goes on, for root to replace', async () => {
    await begin();
    const first = scene.start();
    await first.ready(0);
    chmodSync(scene.run, 0o700);
    const load = new StrictLoad(scene.port);
    first.signal('SIGHUP');
    // What the version after it is to write, it cannot: that is told, and the old one serves.
    await first.event('rollback', ({ message }) => String(message).includes('app.pid'));
    const second = scene.start({ PID_FILE: undefined });
    await second.ready(1);
    second.signal('SIGHUP');
    const third = await second.ready(2);
    await load.servedBy(third.pid);
    expect(await runCommand(['status', scene.control])).toMatchObject({ code: 0 });
    expect(await runCommand(['upgrade', scene.control])).toMatchObject({ code: 0 });
    const { pid } = await second.ready(3);
    await load.servedBy(pid);
    await load.end();
    second.signal('SIGTERM', pid);
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
    expect(second.told.filter(({ event }) => event === 'error')).toEqual([]);
  });

  test('socket files of its listeners are its own, and go at the end where it may remove them, setgid folders too', async () => {
    await begin(nobody);
    chmodSync(scene.run, 0o2775);
    const SOCKET = join(scene.run, 'web.sock');
    const first = scene.start({ SOCKET });
    await first.ready(0);
    expect(scene.ownerOf(SOCKET).uid).toBe(nobody);
    // Removed by somebody: the next version binds it anew, as its user.
    rmSync(SOCKET);
    first.signal('SIGHUP');
    const second = await first.ready(1);
    expect(scene.ownerOf(SOCKET).uid).toBe(nobody);
    const third = scene.start({ SOCKET });
    await third.ready(2);
    expect((await ask({ socketPath: SOCKET })).servedBy).toBe(third.pid);
    third.signal('SIGTERM');
    await third.exited;
    expect([existsSync(SOCKET), existsSync(scene.control), isAlive(second.pid)]).toEqual([false, false, false]);
  });

  test('another user gets neither its status nor an upgrade, and hears why', async () => {
    await begin();
    const first = scene.start();
    await first.ready(0);
    for (const verb of ['status', 'upgrade']) {
      const refused = await scene.command(mallory, verb, scene.control);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain(
        `EACCES: User ${mallory} may not connect to ${scene.control}: the socket belongs to user ${nobody}. Run as that user, or as root.`,
      );
    }
    // Where the mode would let them in, who they are does not.
    chmodSync(scene.control, 0o666);
    const refused = await scene.command(mallory, 'status', scene.control);
    expect(refused.stderr).toContain('ERR_HANDOFF_UNTRUSTED_PEER');
    const second = scene.start({}, asUser(mallory));
    expect(await second.exited).toMatchObject({ code: 1 });
    expect(await scene.ask()).toEqual({ pid: first.pid, uid: nobody });
  });
});
