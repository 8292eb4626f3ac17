import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { beforeEach, expect, it } from 'vitest';
import { onClose } from '../../../../lib/servers/serving/close-watch.ts';

let heard: string[];
beforeEach(() => {
  heard = [];
});

async function listening<S extends net.Server>(server: S): Promise<S> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

it('tells before anything of the server is closed, and Node’s own close() comes next', async () => {
  const server = await listening(http.createServer());
  onClose(server, () => heard.push(server.listening ? 'told' : 'too late'));
  const closed = new Promise<Error | undefined>((resolve) => server.close(resolve));
  expect(heard).toEqual(['told']);
  expect(await closed).toBeUndefined();
  expect(server.listening).toBe(false);
});

it('tells of a close by asyncDispose, too', async () => {
  const server = await listening(net.createServer());
  onClose(server, () => heard.push('told'));
  await (server as unknown as AsyncDisposable)[Symbol.asyncDispose]();
  expect(heard).toEqual(['told']);
});

it('says nothing of a listener that is closed alone', async () => {
  const server = await listening(http.createServer());
  onClose(server, () => heard.push('told'));
  net.Server.prototype.close.call(server);
  expect(heard).toEqual([]);
});

it('leaves nothing on the server when it stops watching', async () => {
  const server = await listening(net.createServer());
  const stop = onClose(server, () => heard.push('told'));
  expect(Object.hasOwn(server, 'close')).toBe(true);
  stop();
  stop();
  expect(Object.hasOwn(server, 'close')).toBe(false);
  server.close();
  expect(heard).toEqual([]);
});

it('leaves a method that somebody has put on the server before or afterwards', async () => {
  const server = await listening(net.createServer());
  const before = function before(this: net.Server) {
    heard.push('before');
    return net.Server.prototype.close.call(this);
  };
  server.close = before;
  const stop = onClose(server, () => heard.push('told'));
  const watched = server.close;
  const after = function after(this: net.Server) {
    heard.push('after');
    return watched.call(this);
  };
  server.close = after;
  stop();
  expect(server.close).toBe(after);
  server.close();
  expect(heard).toEqual(['after', 'told', 'before']);
});
