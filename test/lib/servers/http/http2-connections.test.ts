import { once } from 'node:events';
import http2 from 'node:http2';
import type { Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Http2Connections } from '../../../../lib/servers/http/http2-connections.ts';
import { makeCertificate } from '../../../support/certificate.ts';
import { eventually } from '../../../support/eventually.ts';
import { never } from '../../../support/never.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { RawClient } from '../../../support/raw-client.ts';
import { ServedServer } from '../../../support/served-server.ts';

const certificate = makeCertificate();

describe.each(['h2', 'h2c'] as const)('%s', (protocol) => {
  let descriptors: DescriptorCheck;
  let scene: ServedServer;
  let client: http2.ClientHttp2Session;
  /** The streams whose answer the test gives. */
  let held: http2.ServerHttp2Stream[];

  beforeEach(async () => {
    descriptors = new DescriptorCheck();
    held = [];
    const server = protocol === 'h2' ? http2.createSecureServer(certificate) : http2.createServer();
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      if (headers[':path'] === '/held') held.push(stream);
      else stream.end('answer');
    });
    scene = await ServedServer.serve(server as unknown as Server);
    client = await connect();
  });

  afterEach(async () => {
    client.destroy();
    await scene[Symbol.asyncDispose]();
    await descriptors[Symbol.asyncDispose]();
  });

  async function connect(): Promise<http2.ClientHttp2Session> {
    const authority = `${protocol === 'h2' ? 'https' : 'http'}://127.0.0.1:${scene.port}`;
    const session = http2.connect(authority, { rejectUnauthorized: false });
    session.on('error', () => {});
    await once(session, 'remoteSettings');
    return session;
  }

  async function answer(stream: http2.ClientHttp2Stream): Promise<string> {
    let text = '';
    for await (const chunk of stream.setEncoding('utf8')) text += chunk;
    return text;
  }

  it('is told apart from the other servers, and counts one connection once', () => {
    expect(scene.served.connections).toBeInstanceOf(Http2Connections);
    expect(scene.served.connections.sockets.size).toBe(1);
  });

  it('an idle session gets GOAWAY, and the drain ends', async () => {
    expect(await answer(client.request({ ':path': '/' }))).toBe('answer');
    const goaway = once(client, 'goaway');
    expect(await scene.drain()).toEqual({ how: 'drained', counts: { moved: 0, drained: 1, forced: 0 } });
    expect((await goaway)[0]).toBe(http2.constants.NGHTTP2_NO_ERROR);
  });

  it('is told in two steps: first that no more is wanted, then which stream was the last', async () => {
    expect(await answer(client.request({ ':path': '/' }))).toBe('answer');
    const last: number[] = [];
    client.on('goaway', (_code: number, stream: number) => last.push(stream));
    const closed = once(client, 'close');
    await scene.drain();
    await closed;
    // A client that leaves at the first has no use for the second; Node's own does.
    expect(last[0]).toBe(2 ** 31 - 1);
  });

  it('a busy session gets GOAWAY at once, and its answer', async () => {
    const text = answer(client.request({ ':path': '/held' }));
    await eventually(() => held.length === 1);
    const goaway = once(client, 'goaway');
    const end = scene.drain({ idle: 1 });
    await goaway;
    held[0]?.respond({ ':status': 200 });
    held[0]?.end('slow');
    expect(await text).toBe('slow');
    expect(await end).toEqual({ how: 'drained', counts: { moved: 0, drained: 1, forced: 0 } });
  });

  it('a stream that does not end is cut off at the total limit', async () => {
    const stream = client.request({ ':path': '/held' });
    stream.on('error', () => {});
    await eventually(() => held.length === 1);
    expect(await scene.drain({ total: 20 })).toEqual({ how: 'drained', counts: { moved: 0, drained: 0, forced: 1 } });
  });

  it('a connection that never says anything is closed with the idle ones', async () => {
    client.destroy();
    await scene.served.connections.empty();
    const silent = await scene.connect();
    expect(await scene.drain({ idle: 1 })).toMatchObject({ counts: { drained: 1, forced: 0 } });
    await silent.closed;
  });

  it('serves new sessions again after a drain that was cancelled', async () => {
    expect(await scene.drain({}, never, AbortSignal.abort())).toEqual({ how: 'cancelled' });
    await scene.served.accept();
    const another = await connect();
    expect(await answer(another.request({ ':path': '/' }))).toBe('answer');
    expect(await answer(another.request({ ':path': '/' }))).toBe('answer');
    another.destroy();
  });
});

it('an HTTP/1 client of a secure server is told by Connection: close', async () => {
  await using _ = new DescriptorCheck();
  const server = http2.createSecureServer({ ...certificate, allowHTTP1: true }, (_request, response) => {
    response.end('answer');
  });
  await using scene = await ServedServer.serve(server as unknown as Server, 'https');
  using client = await RawClient.connect(scene.port, 'tls');
  client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await client.until('answer');
  const end = scene.drain();
  client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const text = await client.closed;
  expect(text.split('HTTP/1.1 200')).toHaveLength(3);
  expect(text.toLowerCase()).toContain('connection: close');
  expect(await end).toEqual({ how: 'drained', counts: { moved: 0, drained: 1, forced: 0 } });
});
