import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { sendDatagram } from '../../lib/fd/message.ts';
import { ask } from '../support/ask.ts';
import { HeldRequest } from '../support/held-request.ts';
import { needs } from '../support/needs.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

/** A scene whose server listens on a socket file. */
class FileScene extends Scene {
  readonly path = join(this.folder, 'web.sock');

  serverOnFile(env: NodeJS.ProcessEnv = {}): Program {
    return this.server({ LISTENERS: JSON.stringify([{ path: this.path, name: 'web' }]), ...env });
  }

  async servedBy(path = this.path): Promise<number> {
    return (await ask({ socketPath: path })).servedBy;
  }
}

const datagramProgram = fileURLToPath(new URL('programs/datagrams.js', import.meta.url));

test('a socket file that was removed is there again after the next handoff, and goes at the end', async () => {
  await using scene = new FileScene();
  const first = scene.serverOnFile();
  await first.ready(0);
  for (let generation = 1; generation <= 3; generation++) {
    rmSync(scene.path);
    rmSync(scene.control);
    first.signal('SIGHUP', [...first.pids].at(-1));
    const { pid } = await first.ready(generation);
    first.pids.add(pid);
    expect(await scene.servedBy()).toBe(pid);
    expect(existsSync(scene.control)).toBe(true);
  }
  first.signal('SIGTERM', [...first.pids].at(-1));
  await expect.poll(() => [existsSync(scene.path), existsSync(scene.control)]).toEqual([false, false]);
});

test('who still comes by the old socket is served, through as many handoffs as there are', async () => {
  await using scene = new FileScene();
  const program = scene.serverOnFile();
  await program.ready(0);
  // As a bind mount of the file in a container still has it.
  const old = join(scene.folder, 'old.sock');
  renameSync(scene.path, old);
  let { pid } = program;
  for (let generation = 1; generation <= 3; generation++) {
    program.signal('SIGHUP', pid);
    ({ pid } = await program.ready(generation));
    expect([await scene.servedBy(), await scene.servedBy(old)]).toEqual([pid, pid]);
  }
});

test('one that somebody else has replaced is left alone: there is a warning, and the old one is served on', async () => {
  await using scene = new FileScene();
  const program = scene.serverOnFile();
  await program.ready(0);
  const old = join(scene.folder, 'old.sock');
  renameSync(scene.path, old);
  const other = createServer((socket) => socket.end()).listen(scene.path);
  await once(other, 'listening');
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  expect(await scene.servedBy(old)).toBe(pid);
  await expect.poll(() => program.stderr).toMatch(/FD_HANDOFF_SOCKET_FILE.*Another process listens/s);
  program.signal('SIGTERM', pid);
  await expect.poll(() => existsSync(scene.control)).toBe(false);
  expect(existsSync(scene.path)).toBe(true);
  other.close();
});

test('a file that is no socket is left alone, too, at the handoff and at the end', async () => {
  await using scene = new FileScene();
  const program = scene.serverOnFile();
  await program.ready(0);
  rmSync(scene.path);
  writeFileSync(scene.path, 'a note');
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  await expect.poll(() => program.stderr).toMatch(/FD_HANDOFF_SOCKET_FILE.*not a socket/s);
  program.signal('SIGTERM', pid);
  await expect.poll(() => existsSync(scene.control)).toBe(false);
  expect(existsSync(scene.path)).toBe(true);
});

test('a successor that fails leaves no file behind, and nothing is refused that was not before', async () => {
  await using scene = new FileScene();
  const program = scene.serverOnFile();
  await program.ready(0);
  const old = join(scene.folder, 'old.sock');
  renameSync(scene.path, old);
  const other = scene.serverOnFile({ BEHAVIOUR: 'throw' });
  expect(await other.exited).toMatchObject({ code: 1 });
  expect(await scene.servedBy(old)).toBe(program.pid);
  // What the dead one has left is stale, and in nobody's way.
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  expect([await scene.servedBy(), await scene.servedBy(old)]).toEqual([pid, pid]);
});

test('a process that takes the service back has its path again, whatever the dead successor has left there', async () => {
  await using scene = new FileScene();
  const listeners = JSON.stringify([{ path: scene.path, name: 'web' }, { port: 0 }]);
  const program = scene.serverOnFile({ LISTENERS: listeners });
  const { addresses } = await program.ready(0);
  const { port } = (addresses as { port?: number }[])[1] as { port: number };
  // As long as it is held, the old process drains.
  using _held = await HeldRequest.open(port);
  rmSync(scene.path);
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  expect(await scene.servedBy()).toBe(pid);
  process.kill(pid, 'SIGKILL');
  await program.event('give-back');
  expect(await scene.servedBy()).toBe(program.pid);
});

test('after an exec in place it is there again, too', async () => {
  await using scene = new FileScene();
  const program = scene.serverOnFile({ OPTIONS: JSON.stringify({ signals: { SIGUSR2: 'reexec' } }) });
  await program.ready(0);
  rmSync(scene.path);
  rmSync(scene.control);
  program.signal('SIGUSR2');
  await program.ready(1);
  expect(await scene.servedBy()).toBe(program.pid);
  expect(existsSync(scene.control)).toBe(true);
});

test('a datagram socket: new datagrams come by the new file, and who is connected to the old goes on', async (context) => {
  needs(context, 'python3', '--version');
  await using scene = new Scene();
  const path = join(scene.folder, 'log.sock');
  const program = scene.add(
    new Program(process.execPath, [datagramProgram], {
      CONTROL: scene.control,
      SOCKETS: JSON.stringify([{ path, name: 'log' }]),
    }),
  );
  await program.ready(0);
  // As syslog(3) does it: connected once, for as long as the program lives.
  const sender = spawn('python3', [
    '-c',
    'import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.connect(sys.argv[1])\nprint("connected", flush=True)\nfor line in sys.stdin: s.send(line.strip().encode())',
    path,
  ]);
  try {
    await once(sender.stdout, 'data');
    rmSync(path);
    let { pid } = program;
    for (let generation = 1; generation <= 2; generation++) {
      program.signal('SIGHUP', pid);
      ({ pid } = await program.ready(generation));
      const news = (text: string) => program.event('message', (told) => told.text === text && told.pid === pid);
      sendDatagram(path, Buffer.from(`new ${generation}`));
      await news(`new ${generation}`);
      sender.stdin.write(`old ${generation}\n`);
      await news(`old ${generation}`);
    }
  } finally {
    sender.kill();
    await once(sender, 'close');
  }
});
