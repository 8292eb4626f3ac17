import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { eventually } from '../../../support/eventually.ts';
import { idleClient, movedClient } from '../../../support/idle-connection.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { RawClient } from '../../../support/raw-client.ts';
import { ServedServer } from '../../../support/served-server.ts';

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const exchange = { request, answered: 'answer' };
const half = 'GET / HTTP/1.1\r\nHos';

/** Long enough that no test comes to its end. */
const forever = 600_000;
const patient = { keepAliveTimeout: forever, requestTimeout: forever, headersTimeout: forever };

/** A server with an idle connection, to which something is done. */
interface Case {
  readonly server: http.Server;
  readonly scene: ServedServer;
  readonly client: RawClient;
  /** The server's end of the connection. */
  readonly socket: Socket;
}

interface Row {
  readonly name: string;
  readonly options?: Record<string, unknown>;
  readonly prepare?: (server: http.Server) => void;
  readonly scenario: (scene: Case) => unknown;
  /** What Node's own connection does. */
  readonly expected: unknown;
}

/** What came after the first answer. */
function after({ client }: Case): string {
  return client.received.slice(client.received.indexOf('answer') + 'answer'.length);
}

/** What came until the server closed. */
async function untilClosed(scene: Case): Promise<string> {
  await scene.client.closed;
  return after(scene);
}

/** The status lines of what is answered to `text`, and those header fields that tell of the connection. */
async function answerTo(scene: Case, text: string, until = '\r\n\r\n'): Promise<string[]> {
  const before = scene.client.received.split(until).length - 1;
  scene.client.send(text);
  await scene.client.until(until, before + 1);
  return after(scene)
    .split(/\r\n|(?=HTTP)/)
    .filter((line) => /^(HTTP|connection:|keep-alive:)/i.test(line));
}

const kept = (max = '') => ['HTTP/1.1 200 OK', 'Connection: keep-alive', `Keep-Alive: timeout=600${max}`];

/** The connection's timeout in the moment in which a request begins. */
function timeoutDuringRequest({ server, socket }: Case): Promise<number | undefined> {
  return new Promise((resolve) => server.once('request', () => resolve(socket.timeout)));
}

/** A request of which not all has come is given up by Node's check of connections; a silent one is given up as a clock. */
async function untilSilentIsGivenUp({ scene }: Case): Promise<string> {
  const silent = await scene.connect();
  return silent.closed;
}

const rows: Row[] = [
  {
    name: 'close(): the connection is closed at once, and the callback comes',
    scenario: async (scene) => {
      const closed = new Promise<void>((resolve) => scene.server.close(() => resolve()));
      await closed;
      return untilClosed(scene);
    },
    expected: '',
  },
  {
    name: 'close(): waits for a request that has begun',
    scenario: async (scene) => {
      const begun = once(scene.server, 'request');
      scene.client.send(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na`);
      await begun;
      const closed = vi.fn();
      scene.server.close(closed);
      await answerTo(scene, 'b');
      const early = closed.mock.calls.length;
      scene.server.closeIdleConnections();
      await scene.client.closed;
      await eventually(() => closed.mock.calls.length === 1);
      return early;
    },
    expected: 0,
  },
  {
    name: 'closeIdleConnections()',
    scenario: (scene) => {
      scene.server.closeIdleConnections();
      return untilClosed(scene);
    },
    expected: '',
  },
  {
    name: 'closeIdleConnections(): not one whose next request has begun',
    scenario: async (scene) => {
      const before = scene.socket.bytesRead;
      scene.client.send(half);
      await eventually(() => scene.socket.bytesRead === before + half.length);
      scene.server.closeIdleConnections();
      return answerTo(scene, `t: localhost\r\n\r\n`);
    },
    expected: kept(),
  },
  {
    name: 'closeAllConnections()',
    scenario: (scene) => {
      scene.server.closeAllConnections();
      return untilClosed(scene);
    },
    expected: '',
  },
  {
    name: 'Symbol.asyncDispose',
    scenario: async (scene) => {
      await scene.server[Symbol.asyncDispose]();
      return untilClosed(scene);
    },
    expected: '',
  },
  {
    name: 'getConnections()',
    scenario: async (scene) => {
      const count = promisify(scene.server.getConnections.bind(scene.server));
      const open = await count();
      scene.client.socket.destroy();
      await once(scene.socket, 'close');
      return [open, await count()];
    },
    expected: [1, 0],
  },
  {
    name: 'maxConnections, and drop',
    prepare: (server) => {
      server.maxConnections = 1;
    },
    scenario: async ({ server, scene, client }) => {
      const dropped = once(server, 'drop') as Promise<[{ remotePort: number }]>;
      using other = await RawClient.connect(scene.port);
      const [{ remotePort }] = await dropped;
      expect(remotePort).toBe(other.socket.localPort);
      const text = await other.closed;
      return [text, client.socket.destroyed];
    },
    expected: ['', false],
  },
  {
    name: 'keepAliveTimeout: closed without a word',
    options: { keepAliveTimeout: 50 },
    scenario: untilClosed,
    expected: '',
  },
  {
    name: 'keepAliveTimeout: with the second that Node adds, and not during a request',
    options: { keepAliveTimeout: 5_000 },
    scenario: async (scene) => {
      const idle = scene.socket.timeout;
      const during = timeoutDuringRequest(scene);
      await answerTo(scene, request);
      return [idle, await during, scene.socket.timeout];
    },
    expected: [6_000, 0, 6_000],
  },
  {
    name: 'keepAliveTimeout with server.timeout',
    options: { keepAliveTimeout: 5_000 },
    prepare: (server) => {
      server.timeout = 70_000;
    },
    scenario: async (scene) => {
      const idle = scene.socket.timeout;
      const during = timeoutDuringRequest(scene);
      await answerTo(scene, request);
      return [idle, await during, scene.socket.timeout];
    },
    expected: [6_000, 70_000, 6_000],
  },
  {
    name: "keepAliveTimeout: 'timeout' decides in the place of closing",
    options: { keepAliveTimeout: 50 },
    scenario: async (scene) => {
      const [socket] = await once(scene.server, 'timeout');
      return [socket === scene.socket, ...(await answerTo(scene, request)).slice(0, 1)];
    },
    prepare: (server) => void server.on('timeout', () => {}),
    expected: [true, 'HTTP/1.1 200 OK'],
  },
  {
    name: 'server.timeout with keepAliveTimeout: 0',
    options: { keepAliveTimeout: 0 },
    prepare: (server) => {
      server.timeout = 1_000;
    },
    scenario: untilClosed,
    expected: '',
  },
  {
    name: 'no timeout at all',
    options: { keepAliveTimeout: 0 },
    scenario: ({ socket }) => socket.timeout ?? 0,
    expected: 0,
  },
  {
    name: 'setTimeout() with a callback',
    options: { keepAliveTimeout: 0 },
    prepare: (server) => void server.setTimeout(1_000, (socket) => socket.end('told')),
    scenario: untilClosed,
    expected: 'told',
  },
  {
    name: 'headersTimeout: an idle connection owes no head',
    options: { headersTimeout: 1_000, requestTimeout: 1_000, connectionsCheckingInterval: 20 },
    scenario: async (scene) => [await untilSilentIsGivenUp(scene), ...(await answerTo(scene, request))],
    expected: ['HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n', ...kept()],
  },
  {
    name: 'headersTimeout: half a head is given up',
    options: { headersTimeout: 1_000, connectionsCheckingInterval: 20 },
    scenario: (scene) => {
      scene.client.send(half);
      return untilClosed(scene);
    },
    expected: 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n',
  },
  {
    name: 'requestTimeout: half a body is given up',
    options: { headersTimeout: 1_000, requestTimeout: 1_000, connectionsCheckingInterval: 20 },
    scenario: (scene) => {
      scene.client.send('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na');
      return untilClosed(scene);
    },
    expected: 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n',
  },
  {
    name: 'maxRequestsPerSocket: those before count',
    prepare: (server) => {
      server.maxRequestsPerSocket = 2;
    },
    scenario: (scene) => answerTo(scene, request),
    expected: ['HTTP/1.1 200 OK', 'Connection: close'],
  },
  {
    name: 'maxRequestsPerSocket: not reached',
    prepare: (server) => {
      server.maxRequestsPerSocket = 3;
    },
    scenario: async (scene) => {
      await answerTo(scene, request);
      return answerTo(scene, request);
    },
    expected: [...kept(', max=3'), 'HTTP/1.1 200 OK', 'Connection: close'],
  },
  {
    name: 'maxHeaderSize',
    options: { maxHeaderSize: 200 },
    scenario: (scene) => {
      scene.client.send(`GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(400)}\r\n\r\n`);
      return untilClosed(scene);
    },
    expected: 'HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n',
  },
  {
    name: 'maxHeadersCount, which Node 20 counts otherwise',
    prepare: (server) => {
      server.maxHeadersCount = 2;
    },
    scenario: async (scene) => {
      scene.client.send('GET / HTTP/1.1\r\nHost: localhost\r\nA: 1\r\nB: 2\r\nConnection: close\r\n\r\n');
      await scene.client.until('\r\n\r\n', 2);
      return after(scene).split('\r\n')[0];
    },
    expected: expect.stringMatching(/^HTTP\/1.1 (200|431)/),
  },
  {
    name: 'insecureHTTPParser',
    options: { insecureHTTPParser: true },
    scenario: (scene) => answerTo(scene, 'GET / HTTP/1.1\r\nHost: localhost\r\nBad: \u0001\r\n\r\n'),
    expected: kept(),
  },
  {
    name: 'joinDuplicateHeaders',
    options: { joinDuplicateHeaders: true },
    scenario: async (scene) => {
      const [{ headers }] = await requested(scene, 'GET / HTTP/1.1\r\nHost: localhost\r\nAge: 1\r\nAge: 2\r\n\r\n');
      return headers.age;
    },
    expected: '1, 2',
  },
  {
    name: 'requireHostHeader',
    scenario: async (scene) => {
      scene.client.send('GET / HTTP/1.1\r\n\r\n');
      return (await untilClosed(scene)).split('\r\n')[0];
    },
    expected: 'HTTP/1.1 400 Bad Request',
  },
  {
    name: 'IncomingMessage and ServerResponse',
    options: {
      IncomingMessage: class Incoming extends http.IncomingMessage {},
      ServerResponse: class Response extends http.ServerResponse {},
    },
    scenario: async (scene) => {
      const [incoming, response] = await requested(scene, request);
      return [incoming.constructor.name, response.constructor.name];
    },
    expected: ['Incoming', 'Response'],
  },
  {
    name: 'highWaterMark',
    options: { highWaterMark: 1000 },
    scenario: ({ socket }) => [socket.readableHighWaterMark, socket.writableHighWaterMark, socket.allowHalfOpen],
    expected: [1000, 1000, true],
  },
  {
    name: 'keepAlive and keepAliveInitialDelay, in the kernel',
    options: { keepAlive: true, keepAliveInitialDelay: 300_000 },
    scenario: ({ socket }) => {
      const { localPort, remotePort } = socket;
      const filter = `sport = :${localPort} and dport = :${remotePort}`;
      return execFileSync('ss', ['-Htno', filter], { encoding: 'utf8' }).includes('timer:(keepalive,');
    },
    expected: true,
  },
  {
    name: 'a half-closed client',
    scenario: async (scene) => {
      scene.client.socket.end(request);
      return (await untilClosed(scene)).split('\r\n')[0];
    },
    prepare: (server) => {
      Object.assign(server, { httpAllowHalfOpen: true });
    },
    expected: 'HTTP/1.1 200 OK',
  },
  {
    name: 'a client that leaves',
    scenario: async (scene) => {
      const closed = once(scene.socket, 'close');
      scene.client.socket.end();
      await closed;
      return untilClosed(scene);
    },
    expected: '',
  },
  {
    name: 'clientError',
    scenario: (scene) => {
      scene.client.send('no request\r\n\r\n');
      return untilClosed(scene);
    },
    expected: 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n',
  },
  {
    name: 'an upgrade, with no timeout left on it',
    options: { keepAliveTimeout: 50 },
    prepare: (server) =>
      void server.on('upgrade', (_: IncomingMessage, socket: Duplex) => {
        socket.write(`timeout ${(socket as Socket).timeout}, `);
        socket.pipe(socket);
      }),
    scenario: async (scene) => {
      scene.client.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
      await scene.client.until('timeout 0, ');
      scene.client.send('echo');
      await scene.client.until('echo');
      return [after(scene), scene.socket.timeout];
    },
    expected: ['timeout 0, echo', 0],
  },
  {
    name: 'CONNECT',
    prepare: (server) => void server.on('connect', (_: IncomingMessage, socket: Duplex) => socket.end('through')),
    scenario: (scene) => {
      scene.client.send('CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n');
      return untilClosed(scene);
    },
    expected: 'through',
  },
  {
    name: 'Expect: 100-continue',
    prepare: (server) =>
      void server.on('checkContinue', (_: IncomingMessage, response: ServerResponse) => response.end('asked first')),
    scenario: (scene) =>
      answerTo(scene, 'GET / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n', 'asked first'),
    expected: ['HTTP/1.1 200 OK', 'Connection: close'],
  },
  {
    name: 'two requests at once',
    scenario: async (scene) => {
      scene.client.send(request + request);
      await scene.client.until('answer', 3);
      return answerTo(scene, request);
    },
    expected: [...kept(), ...kept(), ...kept()],
  },
  {
    name: 'whose it is',
    scenario: async (scene) => {
      const [{ socket }] = await requested(scene, request);
      const { server } = socket as Socket & { server?: http.Server };
      return [server === scene.server, socket === scene.socket, socket.remotePort === scene.client.socket.localPort];
    },
    expected: [true, true, true],
  },
  {
    name: "who follows 'connection' has it, as stoppable and http-terminator do",
    prepare: (server) => void server.on('connection', (socket: Socket) => followed.add(socket)),
    scenario: ({ socket }) => followed.has(socket),
    expected: true,
  },
];

const followed = new WeakSet<Socket>();

if ('keepAliveTimeoutBuffer' in http.createServer()) {
  rows.push({
    name: 'keepAliveTimeoutBuffer',
    options: { keepAliveTimeout: 5_000, keepAliveTimeoutBuffer: 20 },
    scenario: ({ socket }) => socket.timeout,
    expected: 5_020,
  });
}

async function requested(scene: Case, text: string): Promise<[IncomingMessage, ServerResponse]> {
  const heard = once(scene.server, 'request') as Promise<[IncomingMessage, ServerResponse]>;
  await answerTo(scene, text);
  return heard;
}

function start({ options, prepare }: Row): Promise<ServedServer> {
  const server = http.createServer({ ...patient, ...options }, (incoming, response) => {
    incoming.resume().on('end', () => response.end('answer'));
  });
  prepare?.(server);
  return ServedServer.serve(server);
}

async function run(row: Row, kind: 'fresh' | 'moved'): Promise<unknown> {
  await using _descriptors = new DescriptorCheck();
  await using scene = await start(row);
  // With the limits of the server itself it would end while it is moved.
  await using former = await ServedServer.start('http', (_, response) => response.end('answer'));
  const server = scene.served.server as http.Server;
  (former.served.server as http.Server).maxRequestsPerSocket = server.maxRequestsPerSocket;
  const client = kind === 'fresh' ? await idleClient(scene, exchange) : await movedClient(former, scene, exchange);
  const [socket] = scene.served.connections.sockets as Set<Socket>;
  return await row.scenario({ server, scene, client, socket: socket as Socket });
}

test.each(rows)('an idle connection, fresh and moved: $name', async (row) => {
  const fresh = await run(row, 'fresh');
  expect(fresh).toEqual(row.expected);
  expect(await run(row, 'moved')).toEqual(fresh);
});
