import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LastAnswers, type LastAnswersOwner } from '../../../../lib/servers/http/last-answers.ts';
import { eventually } from '../../../support/eventually.ts';
import type { RawClient } from '../../../support/raw-client.ts';
import { ServedServer } from '../../../support/served-server.ts';

const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const post = 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n';
const told = (text: string) => (text.match(/^Connection: (close|keep-alive)/gm) ?? []).map((line) => line.slice(12));

describe('the last answers on the connections of a server', () => {
  let scene: ServedServer;
  let held: ServerResponse[];
  let client: RawClient;
  let answers: LastAnswers | null;

  beforeEach(async () => {
    held = [];
    answers = null;
    scene = await ServedServer.start('http', (_: IncomingMessage, response) => held.push(response));
    client = await scene.connect();
  });
  afterEach(async () => {
    answers?.stop(scene.served.connections.sockets);
    await scene[Symbol.asyncDispose]();
  });

  const begin = (owner: Partial<LastAnswersOwner> = {}): LastAnswers => {
    answers = new LastAnswers(scene.served.server, { isTold: () => true, ...owner });
    return answers;
  };
  const socket = () => [...scene.served.connections.sockets][0] as Socket;
  const requests = (count: number) => eventually(() => held.length === count);
  const answer = (index: number) => held[index]?.end('answer');

  it('say so where a request begins afterwards', async () => {
    begin();
    client.send(get);
    await requests(1);
    answer(0);
    expect(told(await client.closed)).toEqual(['close']);
  });

  it('say so where the answer is under way already, and its head is not', async () => {
    client.send(get);
    await requests(1);
    begin().tell(socket());
    answer(0);
    expect(told(await client.closed)).toEqual(['close']);
  });

  it('a head that has left cannot say so: the next answer does', async () => {
    client.send(get);
    await requests(1);
    held[0]?.writeHead(200, { 'content-length': 6 }).flushHeaders();
    begin().tell(socket());
    answer(0);
    client.send(get);
    await requests(2);
    answer(1);
    expect(told(await client.closed)).toEqual(['keep-alive', 'close']);
  });

  it('with pipelining it is the last that says so, and none is dropped', async () => {
    begin();
    client.send(get.repeat(3));
    await requests(3);
    for (const index of [2, 0, 1]) answer(index);
    expect(told(await client.closed)).toEqual(['keep-alive', 'keep-alive', 'close']);
  });

  it('with pipelining from before it is the last of those that says so', async () => {
    client.send(get.repeat(3));
    await requests(3);
    begin().tell(socket());
    for (const index of [0, 1, 2]) {
      answer(index);
      await client.until('answer', index + 1);
    }
    expect(told(await client.closed)).toEqual(['keep-alive', 'keep-alive', 'close']);
  });

  it('a client that always has a request ahead is told all the same, and nothing of it is lost', async () => {
    begin();
    client.send(get.repeat(2));
    await requests(2);
    // From here on it sends one for every answer: without an end, if all of them were read.
    let sent = 2;
    client.socket.on('data', () => {
      if (client.received.split('answer').length - 1 >= sent - 1 && !client.received.includes('Connection: close')) {
        sent++;
        client.send(get);
      }
    });
    for (let index = 0; !client.received.includes('Connection: close'); index++) {
      await eventually(() => held.length > index || client.received.includes('Connection: close'));
      answer(index);
      await eventually(() => client.received.split('answer').length - 1 > index);
    }
    const answered = told(await client.closed);
    expect(answered.at(-1)).toBe('close');
    expect(answered).toHaveLength(held.length);
  });

  it('tell the owner in the turn in which nothing is under way any more, before a next request is read', async () => {
    const rested: number[] = [];
    begin({
      isTold: () => false,
      rested: (resting) => {
        rested.push(resting.bytesRead);
        resting.pause();
        return true;
      },
    });
    client.send(get);
    await requests(1);
    answer(0);
    // In the instant of the answer.
    client.socket.once('data', () => client.send(get));
    await client.until('answer');
    await eventually(() => rested.length > 0);
    expect(rested).toEqual([get.length]);
  });

  it('an answer before its request has come whole leaves the connection busy until the body is over', async () => {
    let rested = 0;
    begin({ isTold: () => false, rested: () => ++rested > 0 });
    client.send(post);
    await requests(1);
    answer(0);
    await client.until('answer');
    expect(rested).toBe(0);
    client.send('body');
    await eventually(() => rested === 1);
  });

  it('nothing is said any more where that is taken back', async () => {
    client.send(get);
    await requests(1);
    begin().tell(socket());
    answers?.stop(scene.served.connections.sockets);
    answer(0);
    await client.until('answer');
    client.send(get);
    await requests(2);
    answer(1);
    await client.until('answer', 2);
    expect(told(client.received)).toEqual(['keep-alive', 'keep-alive']);
  });

  it('an answer that its client has asked to be the last stays that', async () => {
    client.send(get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    await requests(1);
    begin().tell(socket());
    answers?.stop(scene.served.connections.sockets);
    answer(0);
    expect(told(await client.closed)).toEqual(['close']);
  });

  it('know since when an answer has been under way: of an earlier one, since they are there', async () => {
    client.send(get);
    await requests(1);
    const before = performance.now();
    const watching = begin();
    const since = watching.since(socket());
    expect(since).toBeGreaterThanOrEqual(before);
    client.send(get);
    await requests(2);
    expect(watching.since(socket())).toBeGreaterThan(since);
    answer(0);
    answer(1);
    await client.closed;
  });
});
