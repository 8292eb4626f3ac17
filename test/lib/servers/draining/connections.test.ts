import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../support/eventually.ts';
import { never } from '../../../support/never.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { ServedServer } from '../../../support/served-server.ts';

describe('the connections of a net server', () => {
  let descriptors: DescriptorCheck;
  let scene: ServedServer;

  beforeEach(async () => {
    descriptors = new DescriptorCheck();
    scene = await ServedServer.serve(net.createServer((socket) => socket.pipe(socket).on('error', () => {})));
  });

  afterEach(async () => {
    await scene[Symbol.asyncDispose]();
    await descriptors[Symbol.asyncDispose]();
  });

  it('are counted while they are open', async () => {
    const { connections } = scene.served;
    expect(connections.sockets.size).toBe(0);
    await connections.empty();
    const clients = [await scene.connect(), await scene.connect()];
    expect(connections.sockets.size).toBe(2);
    const empty = connections.empty();
    for (const client of clients) client.socket.destroy();
    await empty;
    expect(connections.sockets.size).toBe(0);
  });

  it('are left to the application until everything is cut off: it alone knows which are idle', async () => {
    const client = await scene.connect();
    const force = new AbortController();
    const end = scene.drain({ idle: 1, halfSent: 1 }, force.signal);
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.send('still there');
    await client.until('still there');
    force.abort();
    expect(await end).toEqual({ how: 'drained', counts: { moved: 0, drained: 0, forced: 1 } });
  });

  it('are drained when both sides are done', async () => {
    const client = await scene.connect();
    client.send('words');
    await client.until('words');
    const end = scene.drain();
    client.socket.end();
    expect(await end).toEqual({ how: 'drained', counts: { moved: 0, drained: 1, forced: 0 } });
  });

  it('are cut off once each, also where they are being closed', async () => {
    await scene.connect();
    await scene.connect();
    const { connections } = scene.served;
    const [first] = connections.sockets;
    first?.destroy();
    expect(connections.destroyAll().length).toBe(1);
    expect(connections.destroyAll()).toEqual([]);
    await connections.empty();
  });

  it('leave nothing listening to a drain’s signals', async () => {
    await scene.connect();
    const cancel = new AbortController();
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    for (let round = 0; round < 12; round++) {
      await scene.drain({ total: 1 }, never, cancel.signal);
    }
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    expect(warnings).toEqual([]);
    await eventually(() => scene.served.connections.sockets.size === 0);
  });
});
