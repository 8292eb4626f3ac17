import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { eventually } from '../support/eventually.ts';
import { LineClient, type Target } from '../support/line-client.ts';
import { Program, type Told } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const linesProgram = fileURLToPath(new URL('programs/lines.js', import.meta.url));

function start(scene: Scene, env: NodeJS.ProcessEnv = {}): Program {
  return scene.add(new Program(process.execPath, [linesProgram], { CONTROL: scene.control, ...env }));
}

async function targetOf(program: Program): Promise<Target> {
  const { port, path } = await program.ready(0);
  return path === undefined ? { port: port as number } : { path: path as string };
}

async function connectMany(target: Target, count: number): Promise<LineClient[]> {
  return Promise.all(Array.from({ length: count }, () => LineClient.connect(target)));
}

/** Sends pieces of lines on random connections, several thousand a second, until it is disposed of. */
function keepTalking(clients: readonly LineClient[]): Disposable {
  const timer = setInterval(() => {
    for (let turn = 0; turn < 30; turn++) clients[Math.floor(Math.random() * clients.length)]?.sayInPieces();
  }, 5);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function moves(program: Program, pid = program.pid): Promise<Told> {
  return program.event('moves', (told) => told.pid === pid);
}

function faultsOf(programs: readonly Program[]): Told[] {
  return programs.flatMap(({ told }) => told.filter(({ event }) => ['wrong', 'broken', 'error'].includes(event)));
}

test.each([
  ['bytes', {}],
  ['text that Node decodes', { ENCODING: 'utf8' }],
])('300 connections through ten replacements, reading %s: every line once and in order, no close', async (_, env) => {
  await using scene = new Scene();
  const first = start(scene, { TICK: '100', ...env });
  const clients = await connectMany(await targetOf(first), 300);
  const programs = [first];
  let { pid } = first;
  {
    using _talk = keepTalking(clients);
    for (let generation = 1; generation <= 10; generation++) {
      let next: Program;
      if (generation % 2 === 1) {
        process.kill(pid, 'SIGHUP');
        next = programs.at(-1) as Program;
      } else {
        next = start(scene, { TICK: '100', ...env });
        programs.push(next);
      }
      ({ pid } = await next.ready(generation));
    }
  }
  await Promise.all(clients.map((client) => client.settled()));
  expect(faultsOf(programs)).toEqual([]);
  // The last one to move has told it when its connections answer from the next: that is when they have been adopted.
  await eventually(() => programs.flatMap(({ told }) => told).filter(({ event }) => event === 'moves').length === 10);
  for (const client of clients) expect(client.faults).toEqual([]);
  for (const client of clients) await expect(client.ask()).resolves.toBe(pid);
  const moved = programs.flatMap(({ told }) => told.filter(({ event }) => event === 'moves'));
  expect(moved.every(({ stayed, failed }) => stayed === 0 && (failed as string[]).length === 0)).toBe(true);
  // Every process but the last has counted every connection, and cut off none.
  await eventually(() => programs.flatMap(({ told }) => told).filter(({ event }) => event === 'drain').length === 10);
  const drains = programs.flatMap(({ told }) => told.filter(({ event }) => event === 'drain'));
  expect(drains.map(({ moved, forced }) => ({ moved, forced }))).toEqual(drains.map(() => ({ moved: 300, forced: 0 })));
  const lines = clients.reduce((sum, { sent, received }) => sum + sent + received, 0);
  console.log(JSON.stringify({ node: process.version, connections: clients.length, replacements: 10, lines }));
  for (const client of clients) client[Symbol.dispose]();
});

test('half a line that was read goes along as the head, and the rest follows to the successor', async () => {
  await using scene = new Scene();
  const program = start(scene);
  const target = await targetOf(program);
  using client = await LineClient.connect(target);
  expect(await client.ask()).toBe(program.pid);
  client.sent++;
  client.socket.write('2 half a');
  // By the time that a later line is answered on another connection, this half has been read.
  using other = await LineClient.connect(target);
  await other.ask();
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  await moves(program);
  client.socket.write(' line\n');
  await client.settled();
  expect(client.pid).toBe(pid);
});

test.each([
  ['little', 10, 'x'],
  ['as much as it takes', 3_000, 'x'.repeat(200)],
])(
  'a paused socket: what Node had read and the application had not is served by the successor (%s)',
  async (_, count, text) => {
    await using scene = new Scene();
    const program = start(scene);
    using client = await LineClient.connect(await targetOf(program));
    client.command('pause');
    await client.heard(1);
    for (let line = 0; line < count; line++) client.say(text);
    program.signal('SIGHUP');
    const { pid } = await program.ready(1);
    await client.settled();
    expect(client.pids).toEqual([program.pid, pid]);
    expect(faultsOf([program])).toEqual([]);
  },
);

test('what was written before is waited for, and then the connection moves', async () => {
  await using scene = new Scene();
  const program = start(scene);
  using client = await LineClient.connect(await targetOf(program));
  await client.ask();
  client.socket.pause();
  client.command('flood 20000');
  expect((await program.event('flooded')).pending).toBeGreaterThan(0);
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  await program.event('moving');
  expect(program.told.some(({ event }) => event === 'moves')).toBe(false);
  client.socket.resume();
  client.say();
  await client.settled();
  expect(client.received).toBe(20_002);
  expect(client.pid).toBe(pid);
  expect(await moves(program)).toMatchObject({ moved: 1, stayed: 0 });
});

test('a client that does not read keeps its connection here, where it is served on', async () => {
  await using scene = new Scene();
  const program = start(scene, { TIMEOUT: '200' });
  using client = await LineClient.connect(await targetOf(program));
  await client.ask();
  client.socket.pause();
  client.command('flood 20000');
  await program.event('flooded');
  program.signal('SIGHUP');
  expect(await moves(program)).toMatchObject({ moved: 0, stayed: 1, failed: [] });
  client.socket.resume();
  expect(await client.ask()).toBe(program.pid);
  expect(client.received).toBe(20_002);
});

test('a successor without the route leaves the connections here, and what was buffered is read here', async () => {
  await using scene = new Scene();
  const program = start(scene);
  const target = await targetOf(program);
  const clients = await connectMany(target, 3);
  for (const client of clients) await client.ask();
  const next = start(scene, { ADOPT: 'none' });
  await next.ready(1);
  expect(await moves(program)).toMatchObject({ moved: 0, stayed: 3, failed: [] });
  for (const client of clients) expect(await client.ask()).toBe(program.pid);
  using late = await LineClient.connect(target);
  expect(await late.ask()).toBe(next.pid);
  for (const client of clients) client[Symbol.dispose]();
});

test('a successor that dies before it has adopted: the connections go on here, and move to the one after', async () => {
  await using scene = new Scene();
  const program = start(scene);
  const clients = await connectMany(await targetOf(program), 100);
  {
    using _talk = keepTalking(clients);
    start(scene, { ADOPT: 'die' });
    await program.event('give-back');
    expect(await moves(program)).toMatchObject({ moved: 0, stayed: 100, failed: [] });
  }
  await Promise.all(clients.map((client) => client.settled()));
  for (const client of clients) expect(await client.ask()).toBe(program.pid);
  const next = start(scene);
  await next.ready(1);
  await program.event('drain');
  for (const client of clients) expect(await client.ask()).toBe(next.pid);
  expect(faultsOf([program, next])).toEqual([]);
  for (const client of clients) client[Symbol.dispose]();
});

test('an adopter that throws has refused: the connection goes on here, and its neighbours move', async () => {
  await using scene = new Scene();
  const program = start(scene);
  const clients = await connectMany(await targetOf(program), 10);
  for (const client of clients) await client.ask();
  const next = start(scene, { ADOPT: 'throw-odd' });
  await next.ready(1);
  expect(await moves(program)).toMatchObject({ moved: 5, stayed: 5, failed: [] });
  const pids = await Promise.all(clients.map((client) => client.ask()));
  expect(pids.filter((pid) => pid === program.pid)).toHaveLength(5);
  expect(pids.filter((pid) => pid === next.pid)).toHaveLength(5);
  expect(next.told.filter(({ event }) => event === 'error')).toHaveLength(5);
  for (const client of clients) client[Symbol.dispose]();
});

test('an adopter that rejects has lost the connection, and nothing else', async () => {
  await using scene = new Scene();
  const program = start(scene);
  const target = await targetOf(program);
  using client = await LineClient.connect(target);
  await client.ask();
  const next = start(scene, { ADOPT: 'reject' });
  expect(await next.event('error')).toMatchObject({ message: 'the adopter rejected' });
  await eventually(() => client.socket.closed);
  using another = await LineClient.connect(target);
  expect(await another.ask()).toBe(next.pid);
});

test('a successor at its limit of descriptors takes what fits, and the rest is served on here', async () => {
  await using scene = new Scene();
  const program = start(scene);
  const clients = await connectMany(await targetOf(program), 300);
  for (const client of clients) await client.ask();
  const next = scene.add(
    new Program('sh', ['-c', `ulimit -n 256; exec ${process.execPath} ${linesProgram}`], { CONTROL: scene.control }),
  );
  await next.ready(1);
  const { moved, stayed, failed } = await moves(program);
  expect({ sum: (moved as number) + (stayed as number), failed }).toEqual({ sum: 300, failed: [] });
  expect(moved).toBeGreaterThan(0);
  expect(stayed).toBeGreaterThanOrEqual(64);
  const pids = await Promise.all(clients.map((client) => client.ask()));
  expect(pids.filter((pid) => pid === program.pid)).toHaveLength(stayed as number);
  expect(pids.filter((pid) => pid === next.pid)).toHaveLength(moved as number);
  for (const client of clients) client[Symbol.dispose]();
});

test('connections on a Unix socket move too', async () => {
  await using scene = new Scene();
  const env = { LISTENER: JSON.stringify({ path: join(scene.folder, 'lines.sock') }) };
  const program = start(scene, env);
  const clients = await connectMany(await targetOf(program), 10);
  for (const client of clients) await client.ask();
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  expect(await moves(program)).toMatchObject({ moved: 10, stayed: 0, failed: [] });
  for (const client of clients) expect(await client.ask()).toBe(pid);
  for (const client of clients) client[Symbol.dispose]();
});

test('a moved connection ends when its client does', async () => {
  await using scene = new Scene();
  const program = start(scene);
  using client = await LineClient.connect(await targetOf(program));
  await client.ask();
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  expect(await client.ask()).toBe(pid);
  client.socket.end();
  await eventually(() => client.socket.closed);
});

test('move() before commit, of a TLS socket, and of a destroyed one', async () => {
  await using scene = new Scene();
  const { key, cert } = makeCertificate();
  const pem = join(scene.folder, 'both.pem');
  writeFileSync(pem, key + cert);
  const plain = start(scene);
  using client = await LineClient.connect(await targetOf(plain));
  client.command('move');
  expect(await plain.event('result')).toMatchObject({ code: 'ERR_HANDOFF_NOT_READY' });
  expect(await client.ask()).toBe(plain.pid);
  using destroyed = await LineClient.connect(await targetOf(plain));
  destroyed.command('destroy');
  await destroyed.heard(1);
  plain.signal('SIGHUP');
  expect(await plain.event('result', ({ moved }) => moved !== undefined)).toMatchObject({ moved: false });

  await using other = new Scene();
  const encrypted = start(other, { TLS: pem });
  using secret = await LineClient.connect(await targetOf(encrypted), 'tls');
  expect(await secret.ask()).toBe(encrypted.pid);
  encrypted.signal('SIGHUP');
  expect(await moves(encrypted)).toMatchObject({ moved: 0, stayed: 0, failed: ['ERR_HANDOFF_REFUSED'] });
  expect(await secret.ask()).toBe(encrypted.pid);
});
