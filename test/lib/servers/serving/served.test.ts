import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServerPlace } from '../../../../lib/servers/binding/listener.ts';
import { Served } from '../../../../lib/servers/serving/served.ts';
import { drainOrder } from '../../../support/drain-order.ts';
import { never } from '../../../support/never.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { ServedServer } from '../../../support/served-server.ts';

let descriptors: DescriptorCheck;
let scene: ServedServer;

beforeEach(async () => {
  descriptors = new DescriptorCheck();
  scene = await ServedServer.start('http', (_, response) => response.end('answer'));
});
afterEach(async () => {
  await scene[Symbol.asyncDispose]();
  await descriptors[Symbol.asyncDispose]();
});

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

/** A place that does what a test says. */
function place(attach: ServerPlace['attach']): ServerPlace {
  return {
    name: 'web',
    address: {},
    inherited: false,
    closed: false,
    listen: () => {},
    attach,
    close: () => {},
    remove: () => {},
    reopen: async () => {},
  };
}

describe('accepting', () => {
  it('goes from waiting to accepting to stopped, and on', async () => {
    const { served } = scene;
    expect(served.service).toBe('accepting');
    served.stopAccepting();
    expect(served.service).toBe('stopped');
    served.stopAccepting();
    await served.accept();
    expect(served.service).toBe('accepting');
    expect(new Served(net.createServer(), served.place).service).toBe('waiting');
  });

  it('rejects with what the server says', async () => {
    const server = net.createServer();
    const failing = new Served(
      server,
      place(() => process.nextTick(() => server.emit('error', new Error('EADDRINUSE')))),
    );
    await expect(failing.accept()).rejects.toThrow('EADDRINUSE');
    expect(failing.service).toBe('waiting');
    expect(server.listenerCount('error') + server.listenerCount('listening')).toBe(0);
  });

  it('rejects with what attaching throws, and leaves no listeners', async () => {
    const server = net.createServer();
    const failing = new Served(
      server,
      place(() => {
        throw new Error('no such place');
      }),
    );
    await expect(failing.accept()).rejects.toThrow('no such place');
    expect(server.listenerCount('error') + server.listenerCount('listening')).toBe(0);
  });

  it('is stopped without a loss: who connects then is served when it goes on', async () => {
    scene.served.stopAccepting();
    const client = net.connect(scene.port, '127.0.0.1');
    client.write(request);
    await once(client, 'connect');
    await scene.served.accept();
    const [text] = await once(client, 'data');
    expect(String(text)).toContain('200 OK');
    client.destroy();
  });

  it('is stopped without closing idle connections, which http.Server.close() would do', async () => {
    const client = await scene.connect();
    client.send(request);
    await client.until('answer');
    scene.served.stopAccepting();
    client.send(request);
    await client.until('answer', 2);
  });

  it('is stopped without stopping the check for requests that never end', async () => {
    const server = http.createServer({ headersTimeout: 30, requestTimeout: 30, connectionsCheckingInterval: 10 });
    await using checked = await ServedServer.serve(server);
    const client = await checked.connect();
    client.send('GET / HT');
    checked.served.stopAccepting();
    expect(await client.closed).toContain('408');
  });
});

describe('the keep-alive timeout', () => {
  it.each([
    [600_000, 50, 50],
    [20, 50, 20],
    [0, 50, 50],
    [600_000, Number.POSITIVE_INFINITY, 600_000],
  ])('of %i with idle ones closed after %i is %i while it drains, and then as before', async (before, idle, during) => {
    const server = scene.served.server as http.Server;
    server.keepAliveTimeout = before;
    const cancel = new AbortController();
    await scene.connect();
    const end = scene.served.drain(drainOrder({ idle }, never, cancel.signal));
    expect(server.keepAliveTimeout).toBe(during);
    cancel.abort();
    await end;
    expect(server.keepAliveTimeout).toBe(before);
  });
});
