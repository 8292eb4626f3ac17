import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { WebSocketLoad } from '../../bench/websocket-load.ts';

/** Lets one client speak to a server that treats its fifth message in a way of its own. */
async function loadOn(fifth: (webSocket: WebSocket, text: string) => void) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const seen = new Promise<void>((resolve) => {
    server.on('connection', (webSocket) => {
      webSocket.on('message', (data) => {
        const text = data.toString();
        if (text === '5') fifth(webSocket, text);
        else webSocket.send(`${text} server`);
        if (text === '10') resolve();
      });
      webSocket.on('close', () => resolve());
    });
  });
  const { port } = server.address() as AddressInfo;
  const target = `ws://127.0.0.1:${port}/`;
  const load = new WebSocketLoad({ target, clients: 1, pause: 5, label: 'before' });
  await load.start();
  await seen;
  const report = await load.stop();
  server.close();
  return report;
}

test('echoes in their order are counted, and nothing else', async () => {
  const { total, examples } = await loadOn((webSocket, text) => webSocket.send(`${text} server`));
  expect(total).toEqual({ label: 'total', messages: expect.any(Number), lost: 0, closed: 0 });
  expect(total.messages).toBeGreaterThanOrEqual(10);
  expect(examples).toEqual([]);
});

test('an echo that does not come is lost', async () => {
  const { total, examples } = await loadOn(() => {});
  expect(total).toMatchObject({ lost: 1, closed: 0 });
  expect(examples).toEqual(['before: echo 6 came after 4']);
});

test('an echo that comes twice counts as well', async () => {
  const { total, examples } = await loadOn((webSocket, text) => {
    webSocket.send(text);
    webSocket.send(text);
  });
  expect(total).toMatchObject({ lost: 1, closed: 0 });
  expect(examples).toEqual(['before: echo 5 came after 5']);
});

test('a connection that the server closes, with the messages that were under way', async () => {
  const { total } = await loadOn((webSocket) => webSocket.close(1012));
  expect(total.closed).toBe(1);
  expect(total.lost).toBeGreaterThanOrEqual(1);
});

test('phases are counted apart', async () => {
  const load = new WebSocketLoad({ target: 'ws://127.0.0.1:1/', clients: 0, pause: 5, label: 'before' });
  load.echoed();
  load.mark('after');
  load.closed('closed with 1006');
  expect(load.report()).toEqual({
    total: { label: 'total', messages: 1, lost: 0, closed: 1 },
    phases: [
      { label: 'before', messages: 1, lost: 0, closed: 0 },
      { label: 'after', messages: 0, lost: 0, closed: 1 },
    ],
    examples: ['after: closed with 1006'],
  });
});
