import { PassThrough, pipeline } from 'node:stream';
import { expect, it } from 'vitest';
import { closeCodes, WebSocketFarewell } from '../../../../lib/servers/http/websocket-farewell.ts';

const head = 'HTTP/1.1 101 Switching Protocols\r\n\r\n';

function webSocket() {
  const socket = new PassThrough();
  const farewell = new WebSocketFarewell(socket as never);
  const written = () => (socket.read() as Buffer | null)?.toString('latin1') ?? '';
  return { socket, farewell, written };
}

it('says why between two frames, in four bytes', () => {
  const { socket, farewell, written } = webSocket();
  expect(farewell.isDue).toBe(false);
  socket.write(head);
  expect(farewell.isDue).toBe(true);
  farewell.say(closeCodes.shutdown);
  expect(farewell.isDue).toBe(false);
  expect(written()).toBe(`${head}\x88\x02\x03\xe9`);
});

it('a proxy that pipes a frame in pieces is not disturbed in its middle', async () => {
  const { socket, farewell } = webSocket();
  const upstream = new PassThrough();
  pipeline(upstream, socket, () => {});
  const passed = async (chunk: Buffer | string) => {
    upstream.write(chunk);
    await new Promise(setImmediate);
  };
  await passed(head);
  await passed(Buffer.from([0x82, 126, 1]));
  expect(farewell.isDue).toBe(false);
  await passed(Buffer.alloc(1 + 100, 0));
  expect(farewell.isDue).toBe(false);
  await passed(Buffer.alloc(156, 0));
  expect(farewell.isDue).toBe(true);
});

it('strings are followed in their encoding, whatever their length in characters', () => {
  const { socket, farewell } = webSocket();
  socket.write(head, 'latin1');
  socket.write('8103', 'hex');
  expect(farewell.isDue).toBe(false);
  socket.write('€');
  expect(farewell.isDue).toBe(true);
});

it('a corked socket gets it in its place', () => {
  const { socket, farewell, written } = webSocket();
  socket.write(head);
  socket.cork();
  socket.write(Buffer.from([0x81, 1]));
  expect(farewell.isDue).toBe(false);
  socket.write('a');
  farewell.say(closeCodes.handoff);
  socket.uncork();
  expect(written()).toBe(`${head}\x81\x01a\x88\x02\x03\xf4`);
});

it('what is written after it is gone, and whoever waits for that is told', async () => {
  const { socket, farewell, written } = webSocket();
  socket.write(head);
  farewell.say(closeCodes.handoff);
  await new Promise<void>((resolve) => socket.write('late', () => resolve()));
  await new Promise<void>((resolve) => socket.write('late', 'latin1', () => resolve()));
  expect(written()).toBe(`${head}\x88\x02\x03\xf4`);
});

it('a socket that was ended is left alone', () => {
  const { socket, farewell } = webSocket();
  socket.write(head);
  socket.end();
  expect(farewell.isDue).toBe(false);
});
