// Peers in other languages: a successor and predecessor in Python that was written from docs/protocol.md, and programs
// that know nothing of the library (a shell script, a C program), which upgrade({ command }) starts.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, type TestContext, test } from 'vitest';
import { ask, askJson, type Where } from '../support/ask.ts';
import { HeldRequest } from '../support/held-request.ts';
import { needs } from '../support/needs.ts';
import { Program, type Told } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';

const peers = fileURLToPath(new URL('../peers/', import.meta.url));
const pythonPeer = join(peers, 'python_peer.py');

const needsPython = (context: TestContext) => needs(context, 'python3', '-c', 'import socket; socket.recv_fds');
const needsCompiler = (context: TestContext) => needs(context, 'cc', '--version');

interface ServerInPlace {
  readonly first: Program;
  /** Of its listeners, in their order. */
  readonly ports: readonly number[];
  /** Of the first of them. */
  readonly port: number;
}

async function started(scene: Scene, env: NodeJS.ProcessEnv = {}): Promise<ServerInPlace> {
  const first = scene.server(env);
  const { addresses } = await first.ready(0);
  const ports = (addresses as { port: number }[]).map(({ port }) => port);
  return { first, ports, port: ports[0] as number };
}

function python(scene: Scene, env: NodeJS.ProcessEnv = {}): Program {
  return scene.add(new Program('python3', ['-B', pythonPeer], { CONTROL: scene.control, ...env }));
}

function refused(where: Where): Promise<unknown> {
  return new Promise((resolve) => {
    connect('port' in where ? { host: '127.0.0.1', ...where } : { path: where.socketPath })
      .on('connect', () => resolve('connected'))
      .on('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
  });
}

function sockets(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

test('Node, Python, Node, Python, Node: nothing fails, and state goes through unchanged', async (context) => {
  needsPython(context);
  await using scene = new Scene();
  const { first, port } = await started(scene);
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);

  // Through the control path, as a program that was started by anybody.
  const second = python(scene);
  expect(await second.ready(1)).toMatchObject({ predecessor: { pid: first.pid, generation: 0 } });
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect((await second.event('late-state')).bytes).toEqual([1, 2, 3]);
  // Connections that were idle came along, unclosed.
  await second.event('adopted', ({ count }) => (count as number) > 0);
  await load.servedBy(second.pid);

  const third = scene.server();
  expect(await third.ready(2)).toMatchObject({
    predecessor: { pid: second.pid, generation: 1 },
    restored: true,
    counter: 1,
  });
  expect(await second.exited).toEqual({ code: 0, signal: null });
  expect((await third.event('late-state')).bytes).toEqual([1, 2, 3]);
  await load.servedBy(third.pid);

  // Through the inherited channel, as a program that its predecessor has started.
  const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', {
    command: 'python3',
    args: ['-B', pythonPeer],
    env: { ...process.env, CONTROL: scene.control },
  });
  const fourth = await third.ready(3);
  expect(fourth).toMatchObject({ pid, predecessor: { pid: third.pid, generation: 2 } });
  expect(await third.exited).toEqual({ code: 0, signal: null });
  await load.servedBy(pid);

  const fifth = scene.server();
  expect(await fifth.ready(4)).toMatchObject({ predecessor: { pid, generation: 3 }, restored: true, counter: 2 });
  await third.event('gone', (told) => told.pid === pid);
  await load.servedBy(fifth.pid);

  console.log(`${await load.end()} requests, 0 failed`);
  const told = [first, second, third, fifth].flatMap((program) => program.told.map(({ event }) => event));
  for (const event of ['rollback', 'give-back', 'error', 'failed']) expect(told).not.toContain(event);
});

test('Python that is killed before the newline: Node serves on, and nothing fails', async (context) => {
  needsPython(context);
  await using scene = new Scene();
  const { first, port } = await started(scene);
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);
  const failing = python(scene, { BEHAVIOUR: 'hang' });
  await failing.event('hanging');
  failing.signal('SIGKILL');
  const { error } = await first.event('rollback');
  expect(error).toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED' });
  expect((await ask({ port })).servedBy).toBe(first.pid);

  const next = python(scene);
  await next.ready(1);
  await load.servedBy(next.pid);
  await load.end();
});

/** What each fails by, what is awaited of it and of Node before it is killed, and what Node may tell then. */
const deaths = [
  // With the newline and the end at once either may be seen first; both leave Node the owner.
  { title: 'by itself, right after the newline', behaviour: 'kill-at-newline', ends: ['give-back', 'rollback'] },
  { title: 'after commit', behaviour: 'hang-at-newline', at: 'newline', ends: ['give-back'] },
  { title: 'after it has read COMMITTED', behaviour: 'hang-at-commit', at: 'committed', ends: ['give-back'] },
];

test.for(deaths)(
  'Python that is killed $title, while Node drains: Node serves again, and nothing fails',
  async ({ behaviour, at, ends }, context) => {
    needsPython(context);
    await using scene = new Scene();
    const { first, port } = await started(scene);
    const load = new StrictLoad(port);
    await load.servedBy(first.pid);
    using held = await HeldRequest.open(port);
    const failing = python(scene, { BEHAVIOUR: behaviour });
    if (at !== undefined) {
      await Promise.all([failing.event(at), first.event('commit')]);
      failing.signal('SIGKILL');
    }
    expect(await failing.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await Promise.any(ends.map((event) => first.event(event)));
    expect((await ask({ port })).servedBy).toBe(first.pid);
    expect(await held.release()).toMatchObject({ status: 200, servedBy: first.pid });

    // Its control path is open again.
    const next = python(scene);
    await next.ready(1);
    await load.servedBy(next.pid);
    await load.end();
    expect(await first.exited).toEqual({ code: 0, signal: null });
  },
);

test('Python gives nothing up when its successor in Node dies before the newline, or while it drains', async (context) => {
  needsPython(context);
  await using scene = new Scene();
  const { port } = await started(scene);
  const peer = python(scene);
  await peer.ready(1);
  const load = new StrictLoad(port);
  await load.servedBy(peer.pid);

  const hanging = scene.server({ BEHAVIOUR: 'hang' });
  await hanging.event('hanging');
  const refusedOne = scene.server();
  await refusedOne.exited;
  expect(refusedOne.stderr).toContain('ERR_HANDOFF_BUSY');
  hanging.signal('SIGKILL');
  expect((await peer.event('rollback')).error).toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED' });
  expect((await ask({ port })).servedBy).toBe(peer.pid);
  await load.end();

  using held = await HeldRequest.open(port);
  const dying = scene.server();
  await dying.ready(2);
  dying.signal('SIGKILL');
  await peer.event('give-back');
  expect((await ask({ port })).servedBy).toBe(peer.pid);
  expect(await held.release()).toMatchObject({ status: 200, servedBy: peer.pid });

  const last = scene.server();
  expect(await last.ready(2)).toMatchObject({ predecessor: { pid: peer.pid, generation: 1 }, counter: 1 });
  expect(await peer.exited).toEqual({ code: 0, signal: null });
  expect((await ask({ port })).servedBy).toBe(last.pid);
});

test('Python says what it has no use for, and Node does to Python: clients are refused at once, and files go', async (context) => {
  needsPython(context);
  await using scene = new Scene();
  const path = join(scene.folder, 'old.sock');
  const LISTENERS = JSON.stringify([
    { name: 'web', port: 0 },
    { name: 'admin', port: 0 },
    { name: 'spare', port: 0 },
    { name: 'old', path },
    { name: 'older', path: `${path}er` },
  ]);
  const { first, port, ports } = await started(scene, { LISTENERS });
  const admin = { port: ports[1] as number };
  using held = await HeldRequest.open(port);
  const peer = python(scene, { CLAIM: 'web:older:spare' });
  await peer.ready(1);
  // While Node still drains.
  await expect.poll(() => refused(admin)).toBe('ECONNREFUSED');
  await expect.poll(() => refused({ socketPath: path })).toBe('ENOENT');
  expect((await ask({ port })).servedBy).toBe(peer.pid);
  expect(await held.release()).toMatchObject({ servedBy: first.pid });
  await first.exited;

  using heldToo = await HeldRequest.open(port);
  const next = scene.server({ LISTENERS: '[{"name":"spare","port":0}]' });
  await next.ready(2);
  await expect.poll(() => refused({ port })).toBe('ECONNREFUSED');
  await expect.poll(() => refused({ socketPath: `${path}er` })).toBe('ENOENT');
  expect(await heldToo.release()).toMatchObject({ servedBy: peer.pid });
  expect(await peer.exited).toEqual({ code: 0, signal: null });
});

test('a hundred listeners of every family, in several batches, through Python', async (context) => {
  needsPython(context);
  await using scene = new Scene();
  const path = join(scene.folder, 'web.sock');
  const abstract = `@fd-handoff-${process.pid}-${Date.now()}`;
  const LISTENERS = JSON.stringify([
    { name: 'first', port: 0, host: '127.0.0.1' },
    { name: 'path', path },
    ...(process.platform === 'linux' ? [{ name: 'abstract', path: abstract }] : []),
    ...Array.from({ length: 97 }, (_, index) => ({ name: `port ${index}`, port: 0, backlog: 7 })),
  ]);
  const { first, ports } = await started(scene, { LISTENERS });
  const peer = python(scene);
  await peer.ready(1);
  await first.exited;
  expect((await ask({ socketPath: path })).servedBy).toBe(peer.pid);
  for (const port of ports.filter(Number.isInteger)) expect((await ask({ port })).servedBy).toBe(peer.pid);
  const next = scene.server({ LISTENERS });
  const { listening } = await next.ready(2);
  expect((listening as { inherited: boolean }[]).filter(({ inherited }) => !inherited)).toEqual([]);
  await peer.exited;
  expect((await ask({ socketPath: path })).servedBy).toBe(next.pid);
  for (const port of ports.filter(Number.isInteger)) expect((await ask({ port })).servedBy).toBe(next.pid);
});

/** Offers large state, or tells what became of it on its way. */
const statefulProgram = `
import { createHash } from 'node:crypto';
import http from 'node:http';
import { handoff } from ${JSON.stringify(import.meta.resolve('fd-handoff'))};
const app = await handoff({ control: process.env.CONTROL });
const server = http.createServer((request, response) => request.resume().once('end', () => response.end()));
const { port } = await app.listen(server, { port: 0 });
const tell = (event, details) => console.log(JSON.stringify({ event, pid: process.pid, ...details }));
const states = {
  json: { text: 'häßlich \u{1f980} '.repeat(100_000), nested: [null, true, 1.5e-7, { '': '' }] },
  bytes: Uint8Array.from({ length: 2_500_000 }, (_, index) => (index * index) >> 3),
  'a name with spaces': new Uint8Array(),
};
for (const late of [false, true]) {
  for (const [key, value] of Object.entries(states)) {
    const name = (late ? 'late ' : '') + key;
    const restore = (restored) => {
      const hash = createHash('sha256').update(key === 'json' ? JSON.stringify(restored) : restored).digest('hex');
      tell('restored', { name, hash });
    };
    await app.state(name, { late, save: () => value, restore });
    if (app.generation === 0) {
      tell('saved', {
        name,
        hash: createHash('sha256').update(key === 'json' ? JSON.stringify(value) : value).digest('hex'),
      });
    }
  }
}
await app.ready();
tell('ready', { generation: app.generation, port });
`;

test('state of megabytes, in pieces, early and late, comes out of Python as it went in', async (context) => {
  needsPython(context);
  await using scene = new Scene();
  const start = () =>
    scene.add(
      new Program(process.execPath, ['--input-type=module', '-e', statefulProgram], { CONTROL: scene.control }),
    );
  const first = start();
  const { port } = await first.ready(0);
  using held = await HeldRequest.open(port as number);
  const peer = python(scene);
  await peer.ready(1);
  for (const { name } of first.told.filter(({ event }) => event === 'saved')) {
    if ((name as string).startsWith('late')) await peer.event('late-state', (told) => told.name === name);
  }
  await held.release();
  const last = start();
  await last.ready(2);
  const hashes = (told: readonly Told[], which: string) =>
    Object.fromEntries(told.filter(({ event }) => event === which).map(({ name, hash }) => [name, hash]));
  const saved = hashes(first.told, 'saved');
  expect(Object.keys(saved)).toHaveLength(6);
  for (const name of Object.keys(saved)) await last.event('restored', (told) => told.name === name);
  expect(hashes(last.told, 'restored')).toEqual(saved);
  expect(await peer.exited).toEqual({ code: 0, signal: null });
});

test('a successor in Python that dies after it left a listener unclaimed: Node serves the rest again', async (context) => {
  needsPython(context);
  await using scene = new Scene();
  const { first, port, ports } = await started(scene, {
    LISTENERS: '[{"name":"web","port":0},{"name":"admin","port":0}]',
  });
  const admin = { port: ports[1] as number };
  using held = await HeldRequest.open(port);
  const peer = python(scene, { CLAIM: 'web' });
  await peer.ready(1);
  await expect.poll(() => refused(admin)).toBe('ECONNREFUSED');
  peer.signal('SIGKILL');
  await first.event('give-back');
  expect((await ask({ port })).servedBy).toBe(first.pid);
  expect(await held.release()).toMatchObject({ servedBy: first.pid });
});

test('Python that is told to stop leaves in good order: before the newline, and as the owner', async (context) => {
  needsPython(context);
  await using scene = new Scene();
  const { first, port } = await started(scene);
  const early = python(scene, { BEHAVIOUR: 'hang' });
  await early.event('hanging');
  early.signal('SIGTERM');
  expect(await early.exited).toEqual({ code: 0, signal: null });
  // The reason, or the end of the ready pipe, whichever is looked at first.
  const { error } = await first.event('rollback');
  expect(['ERR_HANDOFF_ABORTED', 'ERR_HANDOFF_SUCCESSOR_EXITED']).toContain((error as { code: string }).code);
  expect((await ask({ port })).servedBy).toBe(first.pid);

  // Node still drains, and hears that nothing is given back.
  using held = await HeldRequest.open(port);
  const owner = python(scene);
  await owner.ready(1);
  owner.signal('SIGTERM');
  expect(await owner.exited).toEqual({ code: 0, signal: null });
  expect(existsSync(scene.control)).toBe(false);
  expect(await held.release()).toMatchObject({ servedBy: first.pid });
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect(first.told.some(({ event }) => event === 'give-back')).toBe(false);
});

test('Node shares listeners beside Python, and Python takes a mode "keep" from Node', async (context) => {
  needsPython(context);
  await using scene = new Scene();
  const { first, port } = await started(scene);
  // Beside Node, which stays the owner of the control path.
  await askJson({ port }, '/admin/upgrade', {
    command: 'python3',
    args: ['-B', pythonPeer],
    env: { ...process.env, CONTROL: scene.control },
    keep: true,
  });
  const heir = await first.ready(1);
  expect(first.told.some(({ event }) => event === 'draining')).toBe(false);
  first.signal('SIGTERM');
  expect(await first.exited).toEqual({ code: 0, signal: null });

  // The heir has the control path now.
  const sharing = scene.server({ OPTIONS: '{"share":true}' });
  expect(await sharing.ready(2)).toMatchObject({ predecessor: { pid: heir.pid }, counter: 1 });
  await expect.poll(async () => (await ask({ port })).servedBy).toBe(heir.pid);
  await expect.poll(async () => (await ask({ port })).servedBy).toBe(sharing.pid);
  const last = scene.server();
  expect(await last.ready(2)).toMatchObject({ predecessor: { pid: heir.pid, generation: 1 } });
  await first.event('gone', ({ pid }) => pid === heir.pid);
});

test('Python as a successor over and over holds no descriptor more than it needs', async (context) => {
  needsPython(context);
  await using scene = new Scene();
  await started(scene);
  let generation = 0;
  for (let round = 0; round < 3; round++) {
    const peer = python(scene);
    await peer.ready(++generation);
    await peer.event('late-state');
    const { predecessor } = await peer.ready(generation);
    await expect.poll(() => existsSync(`/proc/${(predecessor as { pid: number }).pid}`)).toBe(false);
    // The listener, the control path, a copy of each that is accepted on, the event loop's own pair, output and error.
    await expect.poll(() => sockets(peer.pid)).toBe(8);
    const next = scene.server();
    await next.ready(++generation);
    await peer.exited;
  }
});

/** Serves on descriptor 3 with what the standard library has, and tells its environment. */
const pythonHttp = `
import http.server, json, os, socket
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"hello from a script"
        self.send_response(200)
        self.send_header("x-served-by", str(os.getpid()))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
class Server(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=3)
names = ("LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "FD_HANDOFF_READY_FD")
told = {name: os.environ[name] for name in names if name in os.environ}
os.write(1, json.dumps({"event": "program", "pid": os.getpid(), **told}).encode() + b"\\n")
Server().serve_forever()
`;

test('a shell script that says ready and becomes the program that serves', async (context) => {
  needsPython(context);
  await using scene = new Scene();
  const { first, port } = await started(scene, { LISTENERS: '[{"name":"web","port":0},{"name":"admin","port":0}]' });
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);
  const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', {
    command: join(peers, 'ready.sh'),
    args: ['python3', '-c', pythonHttp],
  });
  const { event: _, ...environment } = await first.event('program');
  expect(environment).toEqual({ pid, LISTEN_FDS: '2', LISTEN_FDNAMES: 'web:admin', LISTEN_PID: String(pid) });
  expect(await first.exited).toEqual({ code: 0, signal: null });
  await load.servedBy(pid);
  await load.end();
  // It cannot be taken over by path, so that none is left.
  expect(existsSync(scene.control)).toBe(false);
});

test('a C program that knows nothing of the library', async (context) => {
  needsCompiler(context);
  await using scene = new Scene();
  const program = compile(scene);
  const { first, port } = await started(scene);
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);
  const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', { command: program });
  expect(await first.event('program')).toMatchObject({ pid, LISTEN_FDS: '1', LISTEN_PID: String(pid) });
  expect(await first.exited).toEqual({ code: 0, signal: null });
  await load.servedBy(pid);
  await load.end();
});

test('a C program that leaves before the newline, dies after it, or leaves in good order', async (context) => {
  needsCompiler(context);
  await using scene = new Scene();
  const command = compile(scene);
  const { first, port } = await started(scene);
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);

  const env = (fails: string) => ({ ...process.env, READY_PEER_FAILS: fails });
  const error = await askJson<{ code: string; exitCode: number }>({ port }, '/admin/upgrade', {
    command,
    env: env('before'),
  });
  expect(error).toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED', exitCode: 3 });
  expect((await ask({ port })).servedBy).toBe(first.pid);

  using held = await HeldRequest.open(port);
  const dying = await askJson<{ pid: number }>({ port }, '/admin/upgrade', { command, env: env('after') });
  expect(await first.event('give-back')).toMatchObject({ pid: dying.pid });
  expect((await ask({ port })).servedBy).toBe(first.pid);
  expect(await held.release()).toMatchObject({ status: 200, servedBy: first.pid });
  await load.end();

  using busy = await HeldRequest.open(port);
  const { pid } = await askJson<{ pid: number }>({ port }, '/admin/upgrade', { command });
  process.kill(pid, 'SIGTERM');
  expect(await busy.release()).toMatchObject({ status: 200, servedBy: first.pid });
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect(first.told.filter(({ event }) => event === 'give-back')).toHaveLength(1);
});

function compile(scene: Scene): string {
  const source = join(scene.folder, 'ready_peer.c');
  copyFileSync(join(peers, 'ready_peer.c'), source);
  const program = join(scene.folder, 'ready_peer');
  execFileSync('cc', ['-Wall', '-Wextra', '-Werror', '-O1', '-o', program, source]);
  return program;
}
