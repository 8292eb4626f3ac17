import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Generation, ServerProcesses } from '../../bench/server-process.ts';
import { ChatClient } from '../support/chat-client.ts';
import { eventually } from '../support/eventually.ts';
import { never } from '../support/never.ts';

const deadline = 30_000;

/** The example, in a folder of its own. */
class Chat implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fd-handoff-chat-'));
  readonly servers: ServerProcesses;
  #current: Generation | undefined;

  constructor(environment: Record<string, string> = {}) {
    this.servers = new ServerProcesses({
      program: fileURLToPath(new URL('../../examples/chat-server.js', import.meta.url)),
      environment: {
        PORT: '0',
        CONTROL: join(this.#folder, 'chat.sock'),
        LOG: join(this.#folder, 'chat.log'),
        ...environment,
      },
    });
  }

  async deploy(how: 'SIGHUP' | 'started'): Promise<Generation> {
    const begin = () => (how === 'SIGHUP' ? this.servers.signal('SIGHUP') : this.servers.spawn());
    this.#current = await this.servers.next(begin, deadline, never);
    return this.#current;
  }

  join(room: string, name: string, compresses = true): Promise<ChatClient> {
    return ChatClient.join({ address: `ws://127.0.0.1:${this.#current?.port}/${room}`, name, compresses });
  }

  get others(): Generation[] {
    return this.servers.generations.filter(({ pid }) => pid !== this.#current?.pid);
  }

  /** Resolves when all processes but the last one have left. */
  async alone(): Promise<void> {
    while (this.others.some(({ state }) => state !== 'gone')) await once(this.servers, 'change');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.servers.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

test('1 000 WebSockets in 500 rooms through ten deploys: no close, no message lost, doubled or reordered', {
  timeout: 180_000,
}, async () => {
  await using chat = new Chat();
  await chat.deploy('started');
  const clients: ChatClient[] = [];
  for (let number = 0; number < 1000; number += 100) {
    const joining = Array.from({ length: 100 }, (_, more) => {
      const index = number + more;
      return chat.join(`room-${index >> 1}`, `client-${index}`, index % 4 < 2);
    });
    clients.push(...(await Promise.all(joining)));
  }
  for (const client of clients) client.speak(1_200);
  const begun = performance.now();
  for (let deploy = 1; deploy <= 10; deploy++) {
    await chat.deploy(deploy % 2 === 1 ? 'SIGHUP' : 'started');
    // Half of the deploys come on the heels of the one before, and find its connections on the move.
    if (deploy % 4 < 2) await chat.alone();
  }
  const duration = performance.now() - begun;
  await Promise.all(clients.map((client) => client.fallSilent()));
  const missing = () =>
    clients.flatMap((client, index) => {
      const neighbour = clients[index ^ 1] as ChatClient;
      const complete = [client, neighbour].every(({ name, said }) => (client.heard.get(name) ?? 0) === said);
      return complete || client.faults.length > 0 ? [] : [{ client: client.name, heard: [...client.heard] }];
    });
  await expect.poll(missing, { timeout: deadline }).toEqual([]);
  expect(clients.flatMap(({ faults }) => faults)).toEqual([]);
  // All of them are with the last one: those before it have left.
  await chat.alone();
  const sum = (count: (client: ChatClient) => number) => clients.reduce((total, client) => total + count(client), 0);
  console.log(
    JSON.stringify({
      node: process.version,
      webSockets: clients.length,
      deploys: 10,
      seconds: Math.round(duration / 100) / 10,
      said: sum(({ said }) => said),
      heard: sum(({ received }) => received),
      fragmented: sum(({ counts }) => counts['in fragments']),
      compressed: sum(({ counts }) => counts.compressed),
      closed: 0,
      lost: 0,
    }),
  );
  for (const client of clients) client[Symbol.dispose]();
});

test('a message that does not end keeps its connection here, which is told to reconnect in time: 1012', async () => {
  await using chat = new Chat({ STAY: '500' });
  await chat.deploy('started');
  using endless = await chat.join('room', 'endless');
  using other = await chat.join('room', 'other');
  endless.webSocket.send('1 begun', { fin: false });
  await other.say('whole');
  await eventually(() => endless.heard.get('other') === 1);
  await chat.deploy('SIGHUP');
  // It is with the old process, the other with the new one, and they hear each other.
  await other.say('whole');
  await eventually(() => endless.heard.get('other') === 2);
  await eventually(() => endless.closeCode !== null);
  expect(endless.faults).toEqual(['endless: closed with 1012']);
  expect(other.faults).toEqual([]);
});

test('with context takeover a WebSocket cannot move, and is told to reconnect; without compression it moves', async () => {
  await using chat = new Chat({ STAY: '500', COMPRESSION: 'taken over' });
  await chat.deploy('started');
  using dependent = await chat.join('room', 'dependent');
  using plain = await chat.join('room', 'plain', false);
  await dependent.say('compressed');
  await chat.deploy('SIGHUP');
  await plain.say('whole');
  await eventually(() => dependent.heard.get('plain') === 1);
  await eventually(() => dependent.closeCode !== null);
  expect(dependent.closeCode).toBe(1012);
  await chat.alone();
  await plain.say('whole');
  await eventually(() => plain.heard.get('plain') === 2);
  expect(plain.faults).toEqual([]);
});

test('a version that negotiates otherwise refuses: the connection goes on in the old one', async () => {
  await using chat = new Chat({ STAY: '1000' });
  await chat.deploy('started');
  using client = await chat.join('room', 'client');
  process.env.COMPRESSION = 'off';
  try {
    await chat.deploy('started');
  } finally {
    delete process.env.COMPRESSION;
  }
  await client.say('compressed');
  await eventually(() => client.heard.get('client') === 1);
  expect(client.faults).toEqual([]);
  await eventually(() => client.closeCode !== null);
  expect(client.closeCode).toBe(1012);
});

test('without a successor the clients are told to reconnect', async () => {
  await using chat = new Chat();
  await chat.deploy('started');
  using client = await chat.join('room', 'client');
  chat.servers.signal('SIGTERM');
  await eventually(() => client.closeCode !== null);
  expect(client.closeCode).toBe(1012);
});
