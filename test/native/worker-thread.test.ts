import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SendingChannel } from '../../lib/channel/channel.ts';
import { Control } from '../../lib/channel/control.ts';
import {
  bindTcp,
  close,
  describe,
  getCloseOnExec,
  listen,
  type Message,
  OwnedFd,
  receiveMessage,
  sendMessage,
  socketPair,
} from '../../lib/fd/index.ts';

const library = (file: string) => JSON.stringify(new URL(`../../lib/${file}`, import.meta.url).href);
const limit = () => AbortSignal.timeout(30_000);

/** Runs `body` in a worker thread, which has `workerData` and `parentPort`. */
function thread(body: string, workerData: object): Worker {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    (async () => {
      // The options that let this process import TypeScript do not reach a thread.
      (await import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))})).register();
      ${body}
    })();
  `;
  return new Worker(source, { eval: true, workerData });
}

async function message<Value>(worker: Worker): Promise<Value> {
  const failed = once(worker, 'error').then(([error]) => {
    throw error;
  });
  const [value] = await Promise.race([once(worker, 'message'), failed]);
  return value as Value;
}

async function textAt(port: number): Promise<string> {
  const [response] = (await once(get({ port, host: '127.0.0.1', agent: false }), 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

test('a worker thread receives a listener, serves on it, and sends it back', async () => {
  const listener = bindTcp('127.0.0.1', 0);
  listen(listener, 5);
  const { port } = describe(listener) as { port: number };
  const [ours, theirs] = socketPair();
  sendMessage(ours, Buffer.from('F'), [listener]);
  // What travels is a copy; without ours nobody but the thread has it.
  close(listener);
  const worker = thread(
    `
    const http = require('node:http');
    const { close, describe, dup, receiveMessage, sendMessage } = await import(${library('fd/index.ts')});
    const { data, fds } = receiveMessage(workerData, 16, 4);
    const { kind, listening, port, closeOnExec } = describe(fds[0]);
    const back = dup(fds[0]);
    const server = http.createServer((request, response) => response.end('from a thread'));
    server.listen({ fd: fds[0] }, 5, () => parentPort.postMessage({ data: String(data), kind, listening, port, closeOnExec }));
    parentPort.once('message', () => {
      sendMessage(workerData, Buffer.from('G'), [back]);
      close(back);
      close(workerData);
      server.closeAllConnections();
      server.close();
    });
    `,
    theirs as unknown as object,
  );
  assert.deepEqual(await message(worker), { data: 'F', kind: 'socket', listening: true, port, closeOnExec: true });
  assert.equal(await textAt(port), 'from a thread');
  const exited = once(worker, 'exit');
  worker.postMessage('send it back');
  assert.deepEqual(await exited, [0]);
  const received = receiveMessage(ours, 16, 4) as Message;
  assert.equal(received.data.toString(), 'G');
  const [back] = received.fds as [number];
  assert.deepEqual(
    { port: (describe(back) as { port: number }).port, closeOnExec: getCloseOnExec(back) },
    {
      port,
      closeOnExec: true,
    },
  );
  close(back);
  close(ours);
});

test('a worker thread is the other end of a channel', async () => {
  const [control, theirControl] = socketPair();
  const [lane, theirLane] = socketPair();
  const worker = thread(
    `
    const net = require('node:net');
    const { Control, ReceivingChannel } = await import(${library('channel/index.ts')});
    const { describe, OwnedFd } = await import(${library('fd/index.ts')});
    const { theirControl, theirLane } = workerData;
    const control = new Control(new net.Socket({ fd: theirControl }), 'predecessor');
    const channel = new ReceivingChannel(control, new OwnedFd(theirLane, 'the lane'));
    const received = await channel.receiveDescriptors(2, AbortSignal.timeout(30_000));
    parentPort.postMessage(received.map(({ fd }) => describe(fd).port));
    for (const descriptor of received) descriptor.close();
    await channel.end();
    `,
    { theirControl, theirLane },
  );
  const channel = new SendingChannel(
    new Control(new Socket({ fd: control }), 'successor'),
    new OwnedFd(lane, 'the lane to a thread'),
  );
  const listeners = [bindTcp('127.0.0.1', 0), bindTcp('127.0.0.1', 0)];
  const told = message<number[]>(worker);
  await channel.sendDescriptors(listeners, limit());
  assert.deepEqual(
    await told,
    listeners.map((fd) => (describe(fd) as { port: number }).port),
  );
  const exited = once(worker, 'exit');
  await channel.end();
  assert.deepEqual(await exited, [0]);
  for (const fd of listeners) close(fd);
});
