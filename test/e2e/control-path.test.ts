import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { Program, serverProgram } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const asRoot = process.getuid?.() === 0;
/** Debian's "nobody": a user who owns nothing. */
const nobody = 65534;

async function portOf(program: Program, generation = 0): Promise<number> {
  const { addresses } = await program.ready(generation);
  return (addresses as { port: number }[])[0]?.port as number;
}

test('a folder that every user can write to is refused, with what to do; a sticky one is not', async () => {
  await using scene = new Scene();
  const folder = join(scene.folder, 'open');
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  const refused = scene.server({ CONTROL: join(folder, 'control.sock') });
  expect(await refused.exited).toMatchObject({ code: 1 });
  expect(refused.stderr).toMatch(/ERR_HANDOFF_UNTRUSTED_PEER.*chmod o-w/s);
  chmodSync(folder, 0o1777);
  await scene.server({ CONTROL: join(folder, 'control.sock') }).ready(0);
});

test('a symbolic link at the control path is not followed', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const port = await portOf(first);
  const link = join(scene.folder, 'link.sock');
  symlinkSync(scene.control, link);
  const second = scene.server({ CONTROL: link });
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.stderr).toMatch(/ERR_HANDOFF_UNTRUSTED_PEER.*symbolic link/s);
  expect((await ask({ port })).servedBy).toBe(first.pid);
});

test('a path that is too long for a socket address: ENAMETOOLONG, with the path', async () => {
  await using scene = new Scene();
  const CONTROL = join(scene.folder, 'x'.repeat(120));
  const program = scene.server({ CONTROL });
  expect(await program.exited).toMatchObject({ code: 1 });
  expect(program.stderr).toContain('ENAMETOOLONG');
  expect(program.stderr).toContain(CONTROL);
});

test('a folder that is not there: ENOENT, with the folder', async () => {
  await using scene = new Scene();
  const program = scene.server({ CONTROL: join(scene.folder, 'missing', 'control.sock') });
  expect(await program.exited).toMatchObject({ code: 1 });
  expect(program.stderr).toMatch(/ENOENT.*missing/s);
});

test('a folder that cannot be written to: EACCES, with the path', { skip: !asRoot }, async () => {
  await using scene = new Scene();
  const folder = join(scene.folder, 'read-only');
  mkdirSync(folder);
  chmodSync(scene.folder, 0o755);
  const CONTROL = join(folder, 'control.sock');
  const program = scene.add(
    new Program('setpriv', ['--reuid', String(nobody), '--clear-groups', process.execPath, serverProgram], { CONTROL }),
  );
  expect(await program.exited).toMatchObject({ code: 1 });
  expect(program.stderr).toContain('EACCES');
  expect(program.stderr).toContain(CONTROL);
});

test('a socket file that was removed while its owner runs is back after the next replacement', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const port = await portOf(first);
  rmSync(scene.control);
  first.signal('SIGHUP');
  const { pid } = await first.ready(1);
  await first.exited;
  await expect.poll(() => existsSync(scene.control)).toBe(true);
  const third = scene.server();
  expect(await third.ready(2)).toMatchObject({ predecessor: { pid } });
  expect((await ask({ port })).servedBy).toBe(third.pid);
});

test('a removed socket file and a second start: the second fails on the port, and the first serves on', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const port = await portOf(first);
  rmSync(scene.control);
  const second = scene.server({ LISTENERS: JSON.stringify([{ port }]) });
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.stderr).toContain('EADDRINUSE');
  expect((await ask({ port })).servedBy).toBe(first.pid);
});

test('a version with another control path takes over by upgrade, and the old path goes', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const port = await portOf(first);
  const moved = join(scene.folder, 'moved.sock');
  await ask({ port }, '/admin/upgrade', { env: { ...process.env, CONTROL: moved } });
  const { pid } = await first.ready(1);
  await expect.poll(() => [existsSync(moved), existsSync(scene.control)]).toEqual([true, false]);
  const third = scene.server({ CONTROL: moved });
  expect(await third.ready(2)).toMatchObject({ predecessor: { pid } });
});

test('a process of another user gets nothing, not even a connection to the file', { skip: !asRoot }, async () => {
  await using scene = new Scene();
  chmodSync(scene.folder, 0o755);
  const first = scene.server();
  const port = await portOf(first);
  const stranger = scene.add(
    new Program('setpriv', ['--reuid', String(nobody), '--clear-groups', process.execPath, serverProgram], {
      CONTROL: scene.control,
    }),
  );
  expect(await stranger.exited).toMatchObject({ code: 1 });
  expect(stranger.stderr).toContain('EACCES');
  // And where the file's mode does not keep it out, its identity does: nothing of it is read.
  chmodSync(scene.control, 0o666);
  const second = scene.add(
    new Program('setpriv', ['--reuid', String(nobody), '--clear-groups', process.execPath, serverProgram], {
      CONTROL: scene.control,
    }),
  );
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.stderr).toContain('ERR_HANDOFF_UNTRUSTED_PEER');
  expect(first.told.filter(({ event }) => event === 'offer')).toEqual([]);
  expect((await ask({ port })).servedBy).toBe(first.pid);
});

test('nothing is taken over from a process of another user', { skip: !asRoot }, async () => {
  await using scene = new Scene();
  chownSync(scene.folder, nobody, nobody);
  const theirs = scene.add(
    new Program('setpriv', ['--reuid', String(nobody), '--clear-groups', process.execPath, serverProgram], {
      CONTROL: scene.control,
    }),
  );
  await theirs.ready(0);
  const other = scene.add(
    new Program('setpriv', ['--reuid', '65533', '--clear-groups', process.execPath, serverProgram], {
      CONTROL: scene.control,
    }),
  );
  chmodSync(scene.control, 0o666);
  expect(await other.exited).toMatchObject({ code: 1 });
  expect(other.stderr).toMatch(/ERR_HANDOFF_UNTRUSTED_PEER|EACCES/);
});

test('10 000 connections to the control socket do not hurt the service', async () => {
  await using scene = new Scene();
  const first = scene.server();
  const port = await portOf(first);
  let open = 0;
  let ended = 0;
  const flood = new Promise<void>((resolve) => {
    const one = () => {
      open++;
      const socket = connect(scene.control);
      socket.on('error', () => {});
      socket.on('close', () => {
        ended++;
        if (open < 10_000) one();
        else if (ended === open) resolve();
      });
      // Half of them say nothing at all, the other half something that nobody understands.
      if (open % 2 === 0) socket.write('GET / HTTP/1.1\r\n\r\n');
      socket.resume();
    };
    for (let visitor = 0; visitor < 500; visitor++) one();
  });
  let served = 0;
  const asking = (async () => {
    while (ended < 10_000) {
      expect((await ask({ port })).servedBy).toBe(first.pid);
      served++;
    }
  })();
  await Promise.all([flood, asking]);
  expect(served).toBeGreaterThan(10);
  const second = scene.server();
  await second.ready(1);
});
