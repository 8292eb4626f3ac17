import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { sendDatagram } from '../../lib/fd/message.ts';
import { DatagramClient } from '../support/datagram-client.ts';
import { Program, type Told } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const program = fileURLToPath(new URL('./programs/datagrams.js', import.meta.url));

interface Bound {
  readonly name: string;
  readonly inherited: boolean;
  readonly address?: string;
  /** Of none for a path. */
  readonly port: number;
  readonly path?: string;
  readonly peer?: { readonly address: string; readonly port: number };
  readonly recvBufferSize: number;
}

function start(scene: Scene, sockets: readonly object[], env: NodeJS.ProcessEnv = {}): Program {
  return scene.add(
    new Program(process.execPath, [program], { CONTROL: scene.control, SOCKETS: JSON.stringify(sockets), ...env }),
  );
}

async function boundBy(started: Program, generation: number, event = 'ready'): Promise<Bound[]> {
  return (await started.event(event, (told) => told.generation === generation)).bound as Bound[];
}

function heard(started: Program, text: string): Promise<Told> {
  return started.event('message', (told) => told.text === text);
}

const loopback = { port: 0, address: '127.0.0.1' };

test('UDP over IPv4 and IPv6, a Unix path and an abstract name go over, and port 0 keeps its port', async () => {
  await using scene = new Scene();
  const path = join(scene.folder, 'log.sock');
  const name = `@fd-handoff-${process.pid}-${Date.now()}`;
  const sockets = [
    { ...loopback, name: 'four' },
    { type: 'udp6', port: 0, address: '::1', name: 'six' },
    { path, mode: 0o620, name: 'path' },
    { path: name, name: 'abstract' },
  ];
  const first = start(scene, sockets);
  const before = await boundBy(first, 0);
  expect(statSync(path).mode & 0o777).toBe(0o620);
  const second = start(scene, sockets);
  const after = await boundBy(second, 1);
  expect(after.map((one) => ({ ...one, inherited: false }))).toEqual(before);
  expect(after.every(({ inherited }) => inherited)).toBe(true);
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect(first.told.filter(({ event }) => event === 'closed').length).toBe(4);

  await using four = await DatagramClient.open('udp4');
  await using six = await DatagramClient.open('udp6');
  await four.send('over four', after[0]?.port ?? 0);
  await six.send('over six', after[1]?.port ?? 0);
  sendDatagram(path, Buffer.from('over a path'));
  sendDatagram(name, Buffer.from('over a name'));
  for (const text of ['over four', 'over six', 'over a path', 'over a name']) {
    expect(await heard(second, text)).toMatchObject({ pid: second.pid });
  }
  second.signal('SIGTERM');
  await second.exited;
  expect(existsSync(path)).toBe(false);
});

test('nothing is received before ready(): the predecessor has it all, also after a successor that failed', async () => {
  await using scene = new Scene();
  const sockets = [{ ...loopback, name: 'it' }];
  const first = start(scene, sockets);
  const [{ port }] = (await boundBy(first, 0)) as [Bound];
  const hanging = start(scene, sockets, { BEHAVIOUR: 'hang' });
  await boundBy(hanging, 1, 'bound');
  await using client = await DatagramClient.open();
  const texts = Array.from({ length: 50 }, (_, index) => `number ${index}`);
  for (const text of texts) await client.send(text, port);
  for (const text of texts) await heard(first, text);
  hanging.signal('SIGKILL');
  await first.event('rollback');
  await client.send('afterwards', port);
  await heard(first, 'afterwards');
  expect(hanging.told.filter(({ event }) => event === 'message')).toEqual([]);
});

test('from commit on the predecessor can still send, until its hooks are over', async () => {
  await using scene = new Scene();
  const sockets = [{ ...loopback, name: 'it' }];
  const first = start(scene, sockets);
  const [{ port }] = (await boundBy(first, 0)) as [Bound];
  await using client = await DatagramClient.open();
  await client.send('!owe', port);
  await heard(first, '!owe');
  const answers = client.take(2);
  start(scene, sockets);
  expect(await answers).toEqual([`at commit: ${first.pid}`, `at last: ${first.pid}`]);
  expect(await first.exited).toEqual({ code: 0, signal: null });
});

test('from commit on the predecessor receives nothing, and again where the successor dies', async () => {
  await using scene = new Scene();
  const sockets = [{ ...loopback, name: 'it' }];
  // A late state that is never saved keeps it draining.
  const first = start(scene, sockets, { BEHAVIOUR: 'never-saves' });
  const [{ port }] = (await boundBy(first, 0)) as [Bound];
  const second = start(scene, sockets);
  await boundBy(second, 1);
  await first.event('commit');
  await using client = await DatagramClient.open();
  const texts = Array.from({ length: 50 }, (_, index) => `number ${index}`);
  for (const text of texts) await client.send(text, port);
  for (const text of texts) expect(await heard(second, text)).toMatchObject({ pid: second.pid });
  expect(first.told.filter(({ event }) => event === 'message' || event === 'closed')).toEqual([]);
  second.signal('SIGKILL');
  await first.event('give-back');
  await client.send('again', port);
  await heard(first, 'again');
});

test('groups, options and the size of the buffer are of generation 0, and there in generation 2', async () => {
  await using scene = new Scene();
  const group = '239.255.77.77';
  const sockets = [{ port: 0, name: 'it', groups: [group], broadcast: true }];
  const first = start(scene, [{ ...sockets[0], recvBufferSize: 50_000 }]);
  const [{ port, recvBufferSize }] = (await boundBy(first, 0)) as [Bound];
  await using client = await DatagramClient.open();
  client.socket.setMulticastInterface('127.0.0.1');
  client.socket.setMulticastLoopback(true);
  await client.send('to the group 0', port, group);
  await heard(first, 'to the group 0');

  await boundBy(start(scene, sockets), 1);
  const third = start(scene, sockets);
  const [now] = (await boundBy(third, 2)) as [Bound];
  expect(now).toMatchObject({ inherited: true, port, recvBufferSize });
  await client.send('to the group 2', port, group);
  expect(await heard(third, 'to the group 2')).toMatchObject({ pid: third.pid });
  await client.send('!broadcast', port);
  expect(await third.event('broadcast')).toMatchObject({ code: null });
});

test('a socket that a predecessor has connected is connected, and bind() says so', async () => {
  await using scene = new Scene();
  const sockets = [{ port: 0, name: 'it' }];
  const first = start(scene, sockets);
  const [{ port }] = (await boundBy(first, 0)) as [Bound];
  await using client = await DatagramClient.open();
  await client.send('!connect', port);
  await first.event('connected');
  const second = start(scene, sockets);
  const [now] = (await boundBy(second, 1)) as [Bound];
  expect(now).toMatchObject({ inherited: true, port, peer: { address: '127.0.0.1', port: client.port } });
  const said = client.next();
  await client.send('!say', port);
  expect(await said).toBe(`said by ${second.pid}`);
});

test('one that the next version drops is closed, with a warning; one that it adds is bound', async () => {
  await using scene = new Scene();
  const path = join(scene.folder, 'old.sock');
  const kept = { ...loopback, name: 'kept' };
  const first = start(scene, [kept, { path, name: 'old' }]);
  await boundBy(first, 0);
  const second = start(scene, [kept, { ...loopback, name: 'new' }]);
  expect(await boundBy(second, 1)).toMatchObject([
    { name: 'kept', inherited: true },
    { name: 'new', inherited: false },
  ]);
  await first.exited;
  expect(existsSync(path)).toBe(false);
  expect(second.stderr).toContain('receives with "old"');
});

test('one that the application has closed is not handed over: the next version binds its own', async () => {
  await using scene = new Scene();
  const sockets = [
    { ...loopback, name: 'it' },
    { ...loopback, name: 'other' },
  ];
  const first = start(scene, sockets);
  const [{ port }] = (await boundBy(first, 0)) as [Bound];
  await using client = await DatagramClient.open();
  await client.send('!close', port);
  await first.event('closed');
  expect(await boundBy(start(scene, sockets), 1)).toMatchObject([
    { name: 'it', inherited: false },
    { name: 'other', inherited: true },
  ]);
});

test('an address that is in use fails the successor with EADDRINUSE, and the predecessor receives on', async () => {
  await using scene = new Scene();
  await using elsewhere = new Scene();
  const [{ port: taken }] = (await boundBy(start(elsewhere, [loopback]), 0)) as [Bound];
  const first = start(scene, [{ ...loopback, name: 'it' }]);
  const [{ port }] = (await boundBy(first, 0)) as [Bound];
  const second = start(scene, [
    { ...loopback, name: 'it' },
    { ...loopback, port: taken, name: 'other' },
  ]);
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.stderr).toContain('EADDRINUSE');
  await using client = await DatagramClient.open();
  await client.send('still here', port);
  await heard(first, 'still here');
});

test('upgrade() and reexec() keep it: what comes while the image is replaced waits in the buffer', async () => {
  await using scene = new Scene();
  const started = start(scene, [{ ...loopback, name: 'it' }]);
  const [{ port }] = (await boundBy(started, 0)) as [Bound];
  await using client = await DatagramClient.open();
  await client.send('!reexec', port);
  await started.event('commit');
  await client.send('meanwhile', port);
  expect(await heard(started, 'meanwhile')).toMatchObject({ pid: started.pid, generation: 1 });
  await client.send('!upgrade', port);
  const [now] = (await boundBy(started, 2)) as [Bound];
  expect(now).toMatchObject({ inherited: true, port });
  await client.send('after', port);
  const { pid } = await heard(started, 'after');
  expect(pid).not.toBe(started.pid);
});

test('one that is bound after ready() receives at once, and goes over', async () => {
  await using scene = new Scene();
  const it = { ...loopback, name: 'it' };
  const first = start(scene, [it]);
  const [{ port }] = (await boundBy(first, 0)) as [Bound];
  await using client = await DatagramClient.open();
  await client.send('!late', port);
  const late = await first.event('late');
  await client.send('to the late one', late.port as number);
  expect(await heard(first, 'to the late one')).toMatchObject({ name: 'late' });
  const second = start(scene, [it, { ...loopback, name: 'late' }]);
  expect((await boundBy(second, 1))[1]).toMatchObject({ name: 'late', inherited: true, port: late.port });
});

test('at a shutdown it is received until the end, and then the port is free', async () => {
  await using scene = new Scene();
  const started = start(scene, [loopback]);
  const [{ port }] = (await boundBy(started, 0)) as [Bound];
  await using client = await DatagramClient.open();
  await client.send('!linger', port);
  await heard(started, '!linger');
  started.signal('SIGTERM');
  await started.event('drain');
  await client.send('late', port);
  await heard(started, 'late');
  expect(await started.exited).toEqual({ code: 0, signal: null });
  expect(started.told.filter(({ event }) => event === 'closed').length).toBe(1);
  const again = start(scene, [{ ...loopback, port }]);
  expect(await boundBy(again, 0)).toMatchObject([{ port, inherited: false }]);
});

test('on a platform without support it is bound plainly', async () => {
  await using scene = new Scene();
  const pretend = `data:text/javascript,Object.defineProperty(process,'platform',{value:'win32'})`;
  const started = scene.add(
    new Program(process.execPath, ['--import', pretend, program], { SOCKETS: JSON.stringify([loopback]) }),
  );
  const [{ port, inherited }] = (await boundBy(started, 0)) as [Bound];
  expect(inherited).toBe(false);
  await using client = await DatagramClient.open();
  const answer = client.next();
  await client.send('!answer', port);
  expect(await answer).toBe(`from ${started.pid}`);
});
