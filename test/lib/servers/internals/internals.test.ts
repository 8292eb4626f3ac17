import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { describe as describeDescriptor } from '../../../../lib/fd/describe.ts';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { bindUnix, socketPair } from '../../../../lib/fd/socket.ts';
import { acceptedSocket, acceptLike, countAsAccepted, turnsAway } from '../../../../lib/servers/internals/accepting.ts';
import {
  bindOptionsOf,
  bindToUnixSocket,
  datagramType,
  resumeReceiving,
  setConnected,
  stopReceiving,
} from '../../../../lib/servers/internals/datagrams.ts';
import {
  answerUnderWay,
  hasPartOfRequest,
  httpActivity,
  isLastRequest,
  isReadByHttp,
  isReadByHttpFirst,
  keepAliveLimit,
  lingerAtEnd,
  markIdle,
  onNextRequest,
  readAsHttp,
  setKeepAlive,
} from '../../../../lib/servers/internals/http.ts';
import { setUnixAddress } from '../../../../lib/servers/internals/listening.ts';
import { descriptorOf, resumeReading, stopReading, unreadBytes } from '../../../../lib/servers/internals/sockets.ts';
import { bareSocketOf, setSessionIdContext } from '../../../../lib/servers/internals/tls.ts';
import { libraryFile, outcome, typescriptOptions } from '../../../support/child-script.ts';
import { DatagramClient } from '../../../support/datagram-client.ts';
import { eventually } from '../../../support/eventually.ts';
import { RawClient } from '../../../support/raw-client.ts';
import { ServedServer } from '../../../support/served-server.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe.each(['http', 'https'] as const)(`the internals of Node ${process.version}, %s`, (protocol) => {
  let scene: ServedServer;
  let held: ServerResponse[];
  let upgrades: Duplex[];

  beforeEach(async () => {
    held = [];
    upgrades = [];
    scene = await ServedServer.start(protocol, (message: IncomingMessage, response) => {
      if (message.url === '/held') held.push(response);
      else response.end('answer');
    });
    scene.served.server.on('upgrade', (_: IncomingMessage, socket: Duplex) => upgrades.push(socket));
  });
  afterEach(() => scene[Symbol.asyncDispose]());

  const sockets = () => [...scene.served.connections.sockets];
  const server = () => scene.served.server as http.Server;

  it('descriptorOf: the number is that of the connection', async () => {
    const client = await scene.connect();
    const [socket] = sockets() as [net.Socket];
    expect(describeDescriptor(descriptorOf(socket))).toMatchObject({
      kind: 'socket',
      port: scene.port,
      peer: { port: client.socket.localPort },
    });
  });

  it('httpActivity: what every connection is in the middle of', async () => {
    const activities = () => sockets().map(httpActivity);
    const idle = await scene.connect();
    idle.send(request);
    await idle.until('answer');
    const half = await scene.connect();
    half.send(request + request.slice(0, 5));
    await half.until('answer');
    const busy = await scene.connect();
    busy.send(request.replace('/', '/held'));
    await eventually(() => held.length === 1);
    const early = await scene.connect();
    early.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n');
    await early.until('answer');
    await scene.connect();
    const upgraded = await scene.connect();
    upgraded.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    await eventually(() => upgrades.length === 1);
    await eventually(() => sockets()[1]?.bytesRead === request.length + 5);
    expect(activities()).toEqual(['between', 'receiving', 'answering', 'receiving', 'silent', 'elsewhere']);

    // One byte of a next request, the last of a body, the last of an answer.
    idle.send('G');
    early.send('abc');
    held[0]?.end('held answer');
    await busy.until('held answer');
    await eventually(() => activities().slice(0, 4).join() === 'receiving,receiving,between,between');
    expect(hasPartOfRequest(sockets()[0] as net.Socket)).toBe(true);
    expect(hasPartOfRequest(sockets()[3] as net.Socket)).toBe(false);
    idle.send(request.slice(1));
    await idle.until('answer', 2);
    await eventually(() => activities()[0] === 'between');
  });

  it('httpActivity: an answer that is not in the hands of the kernel is under way', async () => {
    const client = await scene.connect();
    client.send(request.replace('/', '/held'));
    await eventually(() => held.length === 1);
    const [socket] = sockets() as [net.Socket];
    client.socket.pause();
    held[0]?.end(Buffer.alloc(32 * 1024 * 1024));
    expect(held[0]?.writableEnded).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(httpActivity(socket)).toBe('answering');
    client.socket.resume();
    await eventually(() => httpActivity(socket) === 'between');
  });

  it('answerUnderWay and isLastRequest: the answer that is given, and whether another waits behind it', async () => {
    const client = await scene.connect();
    const [socket] = sockets() as [net.Socket];
    expect(answerUnderWay(socket)).toBeNull();
    client.send(request.replace('/', '/held'));
    await eventually(() => held.length === 1);
    const [first] = held as [ServerResponse];
    expect(answerUnderWay(socket)).toBe(first);
    expect(isLastRequest(socket, first.req)).toBe(true);
    client.send(request.replace('/', '/held'));
    await eventually(() => held.length === 2);
    expect(answerUnderWay(socket)).toBe(first);
    expect(isLastRequest(socket, first.req)).toBe(false);
    first.end('first');
    await eventually(() => answerUnderWay(socket) === held[1]);
    held[1]?.end('second');
    await eventually(() => answerUnderWay(socket) === null);
  });

  it('lingerAtEnd: what was not read does not cost the client its last answer', async () => {
    const client = await scene.connect();
    client.send(request.replace('/', '/held'));
    await eventually(() => held.length === 1);
    const [socket] = sockets() as [net.Socket];
    stopReading(socket);
    client.send(request.replace('/', '/held').repeat(1000));
    setKeepAlive(held[0] as ServerResponse, false);
    lingerAtEnd(socket);
    const large = 'x'.repeat(4 * 1024 * 1024);
    const failed = once(client.socket, 'error').then(([error]) => error);
    held[0]?.end(large);
    expect(await Promise.race([client.closed.then((text) => text.endsWith(large)), failed])).toBe(true);
    expect(held.length).toBe(1);
    await scene.served.connections.empty();
  });

  it('lingerAtEnd: a client that does not close is not waited for', async () => {
    const client = await scene.connect();
    client.socket.allowHalfOpen = true;
    const [socket] = sockets() as [net.Socket];
    client.send(request.replace('/', '/held').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    await eventually(() => held.length === 1);
    lingerAtEnd(socket);
    held[0]?.end('last');
    await client.until('last');
    await scene.served.connections.empty();
  });

  it('isReadByHttp: until an upgrade', async () => {
    const client = await scene.connect();
    const [socket] = sockets() as [net.Socket];
    expect(isReadByHttp(socket)).toBe(true);
    client.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    await eventually(() => upgrades.length === 1);
    expect(isReadByHttp(socket)).toBe(false);
  });

  it('markIdle: the same as if a request had been answered, and nobody hears of one', async () => {
    const requests = vi.fn();
    server().on('request', requests).on('checkContinue', requests).on('clientError', requests);
    const client = await scene.connect();
    const [socket] = sockets() as [net.Socket];
    expect(markIdle(socket)).toBe(true);
    expect(requests).not.toHaveBeenCalled();
    client.send(request);
    await client.until('answer');
    expect(requests).toHaveBeenCalledOnce();
    expect(client.received.match(/HTTP/g)).toHaveLength(1);

    const other = await scene.connect();
    expect(markIdle(sockets()[1] as net.Socket)).toBe(true);
    server().closeIdleConnections();
    expect(await other.closed).toBe('');
    await client.closed;
  });

  it('onNextRequest: before the application hears of it, of an upgrade too, and once', async () => {
    const order: string[] = [];
    server().prependListener('request', () => order.push('request'));
    server().prependListener('upgrade', () => order.push('upgrade'));
    const [asking, upgrading] = [await scene.connect(), await scene.connect()];
    for (const socket of sockets()) onNextRequest(socket, () => order.push('begun'));
    asking.send(request);
    await asking.until('answer');
    asking.send(request);
    await asking.until('answer', 2);
    upgrading.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    await eventually(() => upgrades.length === 1);
    expect(order).toEqual(['begun', 'request', 'request', 'begun', 'upgrade']);
  });

  it('setKeepAlive: decides what the answer says, until its head is sent', async () => {
    const client = await scene.connect();
    client.send(request.replace('/', '/held'));
    await eventually(() => held.length === 1);
    setKeepAlive(held[0] as ServerResponse, false);
    setKeepAlive(held[0] as ServerResponse, true);
    held[0]?.writeHead(200, { 'Content-Length': 5 }).flushHeaders();
    await client.until('\r\n\r\n');
    setKeepAlive(held[0] as ServerResponse, false);
    held[0]?.end('first');
    await client.until('first');
    client.send(request.replace('/', '/held'));
    await eventually(() => held.length === 2);
    setKeepAlive(held[1] as ServerResponse, false);
    held[1]?.end('second');
    expect(await client.closed).toMatch(/Connection: keep-alive.*first.*Connection: close.*second/s);
  });

  it('bareSocketOf: what an encrypted connection stands on', async () => {
    const connection = once(scene.served.server, 'connection');
    await scene.connect();
    const [bare] = (await connection) as [net.Socket];
    const [socket] = sockets() as [net.Socket];
    expect(bareSocketOf(socket)).toBe(protocol === 'https' ? bare : null);
    expect(socket instanceof TLSSocket).toBe(protocol === 'https');
  });
});

it("isReadByHttpFirst: until somebody takes Node's own listener away; readAsHttp goes past who has", async () => {
  class Own extends http.Server {}
  for (const server of [http.createServer(), new Own()]) expect(isReadByHttpFirst(server)).toBe(true);
  const server = http.createServer((_, response) => response.end('answer'));
  server.prependListener('connection', () => {}).on('connection', () => {});
  expect(isReadByHttpFirst(server)).toBe(true);
  const taken = server.listeners('connection') as ((socket: net.Socket) => void)[];
  server.removeAllListeners('connection').on('connection', (socket: net.Socket) => {
    for (const listener of taken) listener.call(server, socket);
  });
  expect(isReadByHttpFirst(server)).toBe(false);

  const heard = vi.fn();
  server.removeAllListeners('connection').on('connection', heard);
  await using front = net.createServer((socket) => readAsHttp(server, socket));
  await once(front.listen(0, '127.0.0.1'), 'listening');
  using client = await RawClient.connect((front.address() as net.AddressInfo).port);
  client.send(request.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  expect(await client.closed).toMatch(/answer$/);
  expect(heard).not.toHaveBeenCalled();
});

it('countAsAccepted: a connection is counted once, and no more where it was counted before', async () => {
  const [first, second] = [net.createServer(), net.createServer()];
  await once(first.listen(0, '127.0.0.1'), 'listening');
  const accepted = once(first, 'connection') as Promise<[net.Socket]>;
  using _client = await RawClient.connect((first.address() as net.AddressInfo).port);
  const [socket] = await accepted;
  for (let times = 0; times < 2; times++) countAsAccepted(second, socket);
  const count = (server: net.Server) => new Promise((resolve) => server.getConnections((_, open) => resolve(open)));
  expect([await count(first), await count(second)]).toEqual([0, 1]);
  socket.destroy();
  await once(socket, 'close');
  expect([await count(first), await count(second)]).toEqual([0, 0]);
  first.close();
});

it('descriptorOf: a closed socket has none, and the error says so', () => {
  expect(() => descriptorOf(new net.Socket())).toThrow(
    expect.objectContaining({
      code: 'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
      message: expect.stringContaining(process.version),
    }),
  );
});

describe('where the internals of a socket or a server are gone', () => {
  const bare = {} as never;

  it.each([
    ['without a parser', {}, 'elsewhere'],
    ['whose parser does not tell', { parser: {}, _httpMessage: null, bytesRead: 9, readableLength: 0 }, 'unknown'],
    ['that does not tell its answer', { parser: { duration: () => 0 }, bytesRead: 9, readableLength: 0 }, 'receiving'],
  ])('httpActivity: of a socket %s', (_, socket, activity) => {
    expect(httpActivity(socket as never)).toBe(activity);
  });

  it('hasPartOfRequest: always; isLastRequest: never; answerUnderWay: none', () => {
    expect(hasPartOfRequest(bare)).toBe(true);
    expect(isLastRequest(bare, {} as never)).toBe(false);
    expect(answerUnderWay(bare)).toBeNull();
  });

  it('stopReading: says so, and resumeReading does nothing', () => {
    expect(stopReading(bare)).toBe(false);
    resumeReading(bare);
  });

  it.each([
    ['no state', {}],
    ['a state without a buffer', { _readableState: {} }],
    ['a buffer of another kind', { _readableState: { buffer: 7 } }],
    ['a buffer that is not all', { _readableState: { buffer: [Buffer.from('ab')] }, readableLength: 3 }],
    ['a decoder of another kind', { _readableState: { buffer: [], decoder: {} }, readableLength: 0 }],
  ])('unreadBytes: null for %s', (_, socket) => {
    expect(unreadBytes(socket as never)).toBeNull();
  });

  it('keepAliveLimit: with the second that Node adds where the server does not say another', () => {
    const limitOf = (server: object) => keepAliveLimit(server as http.Server);
    expect(limitOf({ keepAliveTimeout: 5_000 })).toBe(6_000);
    expect(limitOf({ keepAliveTimeout: 5_000, keepAliveTimeoutBuffer: 10 })).toBe(5_010);
    expect(limitOf({ keepAliveTimeout: 5_000, keepAliveTimeoutBuffer: -1 })).toBe(6_000);
    expect(limitOf({ keepAliveTimeout: 0, keepAliveTimeoutBuffer: 1_000 })).toBe(0);
    expect(limitOf({ keepAliveTimeout: -1 })).toBe(0);
  });

  it.each([
    ['no parser', {}],
    ['a parser that cannot be given bytes', { parser: {} }],
    ['a parser without the numbers of what it tells', { parser: { execute: () => 18 } }],
  ])('markIdle: says so for %s, and onNextRequest does nothing', (_, socket) => {
    const before = { ...socket };
    expect(markIdle(socket as never)).toBe(false);
    onNextRequest(socket as never, () => {});
    expect(socket).toEqual(before);
  });

  it("acceptLike: Node's defaults; countAsAccepted and setSessionIdContext: nothing", () => {
    const companion = net.createServer();
    const before = { ...companion };
    acceptLike(bare, companion);
    expect({ ...companion }).toEqual(before);
    const socket = {} as net.Socket;
    countAsAccepted(bare, socket);
    setSessionIdContext(bare, 'other');
    expect(socket).toEqual({});
    expect(bare).toEqual({});
  });
});

it('setUnixAddress: address() answers with it while the server listens', async () => {
  const server = net.createServer();
  await once(server.listen(`@${Math.random()}`.replace('@', '\0')), 'listening');
  setUnixAddress(server, '/some/path');
  expect(server.address()).toBe('/some/path');
  server.close();
  await once(server, 'close');
});

describe(`the internals of Node ${process.version}, dgram`, () => {
  let socket: dgram.Socket;

  beforeEach(() => {
    socket = dgram.createSocket('udp4');
  });
  afterEach(() => socket.close());

  it('stopReceiving and resumeReceiving: what comes in between is kept', async () => {
    await once(socket.bind(0, '127.0.0.1'), 'listening');
    const heard: string[] = [];
    socket.on('message', (message) => heard.push(message.toString()));
    expect(stopReceiving(socket)).toBe(true);
    await using client = await DatagramClient.open();
    await client.send('kept', socket.address().port);
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual([]);
    resumeReceiving(socket);
    await eventually(() => heard.length === 1);
  });

  it('stopReceiving: a stopped socket is closed as any other, and a closed one cannot be stopped', async () => {
    const other = dgram.createSocket('udp4');
    await once(other.bind(0, '127.0.0.1'), 'listening');
    stopReceiving(other);
    other.close();
    await once(other, 'close');
    expect(stopReceiving(other)).toBe(false);
    resumeReceiving(other);
  });

  it('bindOptionsOf and datagramType: what the socket was made with', () => {
    expect(bindOptionsOf(socket)).toEqual({ reuseAddress: false, reusePort: false, ipv6Only: false });
    expect(datagramType(socket)).toBe('udp4');
    const other = dgram.createSocket({ type: 'udp6', ipv6Only: true, reuseAddr: true });
    expect(bindOptionsOf(other)).toMatchObject({ ipv6Only: true, reuseAddress: true });
    expect(datagramType(other)).toBe('udp6');
    other.close();
  });

  it('setConnected: Node asks the kernel for the peer from then on, and not itself', async () => {
    await once(socket.bind(0, '127.0.0.1'), 'listening');
    expect(() => socket.remoteAddress()).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' }));
    setConnected(socket);
    expect(() => socket.remoteAddress()).toThrow(expect.objectContaining({ code: 'ENOTCONN' }));
  });

  it('bindToUnixSocket: what is no descriptor is an error, and the socket can be bound afterwards', () => {
    expect(() => bindToUnixSocket(socket, 9999)).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'open' }));
    const path = `@fd-handoff-internals-${process.pid}`;
    const fd = bindUnix(path, { type: 'datagram' });
    bindToUnixSocket(socket, fd);
    expect(describeDescriptor(fd)).toMatchObject({ kind: 'socket', type: 'datagram', path });
  });

  it('where they are gone nothing is done, and bindToUnixSocket says so', () => {
    const bare = {} as dgram.Socket;
    expect(stopReceiving(bare)).toBe(false);
    resumeReceiving(bare);
    setConnected(bare);
    expect(bindOptionsOf(bare)).toEqual({ reuseAddress: false, reusePort: false, ipv6Only: false });
    expect(datagramType(bare)).toBe('udp4');
    expect(() => bindToUnixSocket(bare, 0)).toThrow(
      expect.objectContaining({ code: 'ERR_HANDOFF_UNSUPPORTED_PLATFORM' }),
    );
  });
});

/** Primary and worker in one script: the worker says to each client who it is, and how long its queue is to be. */
const clustered = `
  import cluster from 'node:cluster';
  import { once } from 'node:events';
  import net from 'node:net';
  import { describe } from ${libraryFile('fd/describe.ts')};
  import { bindTcp, bindUnix, listen } from ${libraryFile('fd/socket.ts')};
  import { listenOn } from ${libraryFile('servers/internals/listening.ts')};

  const path = process.cwd() + '/worker.sock';
  if (cluster.isPrimary) {
    const fds = [bindTcp('127.0.0.1', 0), bindUnix(path)];
    for (const fd of fds) listen(fd, 5);
    cluster.setupPrimary({ stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...fds] });
    const worker = cluster.fork();
    await once(worker, 'message');
    for (const where of [{ port: describe(fds[0]).port, host: '127.0.0.1' }, { path }]) {
      const [data] = await once(net.connect(where), 'data');
      console.log(String(data) === String(worker.process.pid) ? 'the worker' : 'somebody else');
    }
    worker.kill();
    await once(worker, 'exit');
    process.exit();
  }
  for (const fd of [4, 5]) {
    const server = net.createServer((socket) => socket.end(String(process.pid)));
    listenOn(server, fd, 5);
    await once(server, 'listening');
  }
  process.send('up');
`;

it('listenOn: a cluster worker accepts by itself on what it inherited, over TCP and a Unix socket', async () => {
  using folder = new TemporaryFolder();
  const script = folder.file('clustered.mjs');
  writeFileSync(script, clustered);
  const child = spawn(process.execPath, [...typescriptOptions.slice(0, 2), script], { cwd: folder.path });
  const { stdout, stderr } = await outcome(child);
  expect({ stdout, stderr }).toEqual({ stdout: 'the worker\nthe worker\n', stderr: '' });
});

describe(`how a server accepts, Node ${process.version}`, () => {
  const options = {
    allowHalfOpen: true,
    pauseOnConnect: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 7_000,
  };
  const kept = { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 7 };

  it('acceptLike: another server has the options of the first', () => {
    const server = net.createServer(options);
    expect(server).toMatchObject(kept);
    const companion = net.createServer();
    acceptLike(server, companion);
    expect(companion).toMatchObject(kept);
    // What an HTTP server says of itself is what it must be given.
    expect(http.createServer()).toMatchObject({ allowHalfOpen: true, noDelay: true });
  });

  it('acceptedSocket: a descriptor becomes a socket with them', () => {
    const [fd, other] = socketPair().map((end) => new OwnedFd(end)) as [OwnedFd, OwnedFd];
    const socket = acceptedSocket(net.createServer(options), fd.release());
    expect([socket.allowHalfOpen, socket.isPaused()]).toEqual([true, true]);
    socket.destroy();
    other.close();
  });

  it('acceptedSocket: with the defaults of Node where a server has none of its own', () => {
    const [fd, other] = socketPair().map((end) => new OwnedFd(end)) as [OwnedFd, OwnedFd];
    const socket = acceptedSocket({} as net.Server, fd.release());
    expect([socket.allowHalfOpen, socket.isPaused()]).toEqual([false, false]);
    socket.destroy();
    other.close();
  });

  it.each([
    ['192.0.2.1', 'IPv4'],
    ['2001:db8::1', 'IPv6'],
  ] as const)('turnsAway: %s, by the list of the server', (remoteAddress, remoteFamily) => {
    const blockList = new net.BlockList();
    blockList.addAddress(remoteAddress, remoteFamily === 'IPv6' ? 'ipv6' : 'ipv4');
    const socket = { remoteAddress, remoteFamily } as net.Socket;
    expect(turnsAway({ blockList } as never, socket)).toBe(true);
    expect(turnsAway({ blockList: new net.BlockList() } as never, socket)).toBe(false);
    expect(turnsAway({} as never, socket)).toBe(false);
  });

  it('countAsAccepted: a connection that another server has accepted is counted here alone', async () => {
    const server = net.createServer();
    const companion = net.createServer((socket) => countAsAccepted(server, socket));
    await once(companion.listen(0, '127.0.0.1'), 'listening');
    const client = net.connect((companion.address() as net.AddressInfo).port, '127.0.0.1');
    await once(companion, 'connection');
    const counts = () => [server, companion].map((each) => (each as unknown as { _connections: number })._connections);
    expect(counts()).toEqual([1, 0]);
    expect(turnsAway(Object.assign(server, { maxConnections: 1 }), client)).toBe(true);
    client.destroy();
    await eventually(() => counts()[0] === 0);
    expect(turnsAway(server, client)).toBe(false);
    await new Promise((resolve) => companion.close(resolve));
  });

  it.each(['json', 'advanced'] as const)('parentChannel: at rest, and not with half a message (%s)', async (mode) => {
    const script = `
      const { parentChannel } = await import(${libraryFile('servers/internals/parent-channel.ts')});
      const channel = parentChannel();
      const told = [channel.fd, channel.isQuiet()];
      process.on('message', () => {});
      console.log('asked');
      while (channel.isQuiet()) await new Promise(setImmediate);
      console.log(JSON.stringify([...told, channel.isQuiet()]));
      process.exit();
    `;
    const child = spawn(process.execPath, [...typescriptOptions, '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
      env: { ...process.env, NODE_CHANNEL_FD: '3', NODE_CHANNEL_SERIALIZATION_MODE: mode },
    });
    const pipe = child.stdio[3] as net.Socket;
    pipe.on('error', () => {});
    // Half a text, or the length of a message that does not come; not before it was asked for the first time.
    child.stdout?.once('data', () => pipe.write(mode === 'json' ? '"half' : Buffer.from([0, 0, 1, 0])));
    const [, told = ''] = (await outcome(child)).stdout.split('\n');
    expect(JSON.parse(told)).toEqual([3, true, false]);
  });

  it('parentChannel: none in a process that nobody has forked', async () => {
    const script = `
      const { parentChannel } = await import(${libraryFile('servers/internals/parent-channel.ts')});
      console.log(parentChannel());
    `;
    expect((await outcome(spawn(process.execPath, [...typescriptOptions, '-e', script]))).stdout).toBe('null\n');
  });
});
