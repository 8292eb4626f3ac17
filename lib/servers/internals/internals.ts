/**
 * Every use of what Node keeps to itself stands in this file. Each function says what it relies on and what happens
 * where that is gone; `test/lib/servers/internals/internals.test.ts` checks them on every supported line of Node.
 */
import cluster from 'node:cluster';
import type { Socket as DatagramSocket } from 'node:dgram';
import { Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type BlockList, Server, Socket, type SocketConstructorOpts } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { describe } from '../../fd/describe.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import { systemError } from '../../fd/system-error.ts';

interface SocketInternals {
  readonly _handle?: {
    readonly fd?: number;
    reading?: boolean;
    readStop?: () => void;
    readStart?: () => void;
  } | null;
  readonly _readableState?: {
    readonly buffer?: Iterable<Buffer | string>;
    readonly bufferIndex?: number;
    readonly decoder?: { readonly lastNeed?: number; readonly lastTotal?: number; readonly lastChar?: Buffer } | null;
  };
  readonly _parent?: unknown;
}

/** What reads requests from a connection (`HTTPParser` of node_http_parser.cc). */
interface HttpParser {
  readonly duration?: () => number;
  readonly incoming?: IncomingMessage | null;
  execute?: (bytes: Buffer) => unknown;
  onIncoming?: ((...request: unknown[]) => unknown) | null;
  /** By the numbers that its class has for them, such as `kOnHeadersComplete`: who is told of what it reads. */
  [told: number]: unknown;
}

/** The descriptor number of a connected socket; borrowed. Relies on `socket._handle.fd`. */
export function descriptorOf(socket: Socket): number {
  const fd = (socket as unknown as SocketInternals)._handle?.fd;
  if (typeof fd === 'number' && fd >= 0) return fd;
  throw new HandoffError(
    'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
    `This runtime (${process.version}) does not tell a socket's descriptor number, or the socket is closed.`,
  );
}

/**
 * Makes `server.address()` answer with the path of an adopted Unix listener. Relies on `server._pipeName`, which Node
 * sets where it binds by itself; where that is gone `address()` is null, as it is for every adopted Unix listener.
 */
export function setUnixAddress(server: Server, path: string): void {
  (server as unknown as { _pipeName?: string })._pipeName = path;
}

/**
 * Makes `server` accept on the listener `fd`, which is the server's from now on: it emits 'listening' or 'error'. The
 * backlog goes by position: `options.backlog` is ignored with a descriptor, and 511 set for all who share it.
 *
 * In a `node:cluster` worker `listen({ fd })` sends the number to the primary, which serves whatever it has under that
 * number. What stays in the worker is `listen(handle)`, for a TCP handle; for a Unix one there is only what that calls,
 * `server._listen2()`. Relies on it and on `socket._handle`; where they are gone this throws.
 */
export function listenOn(server: Server, fd: number, backlog: number): void {
  if (cluster.isPrimary) {
    server.listen({ fd }, backlog);
    return;
  }
  const socket = new Socket({ fd, readable: false, writable: false });
  if (isTcp(fd)) {
    server.listen(socket, backlog);
    return;
  }
  const internals = server as unknown as {
    _handle?: unknown;
    _listen2?: (address: null, port: number, family: number, backlog: number) => void;
  };
  const handle = (socket as unknown as SocketInternals)._handle;
  if (handle == null || typeof internals._listen2 !== 'function') {
    throw new HandoffError(
      'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
      `A node:cluster worker of this runtime (${process.version}) cannot listen on a Unix socket that it inherited: listen on a TCP port, or start several processes with { share: true }.`,
    );
  }
  internals._handle = handle;
  internals._listen2(null, -1, -1, backlog);
}

function isTcp(fd: number): boolean {
  const description = describe(fd);
  return description.kind === 'socket' && description.family !== 'unix';
}

/**
 * What HTTP does with a connection of its server:
 * - `elsewhere`: nothing; it was upgraded, is shaking hands, or was never given to it;
 * - `silent`: the client has never sent a byte;
 * - `receiving`: a request has begun and its head has not come whole, or it was answered before its body had;
 * - `answering`: an answer is under way;
 * - `between`: the last request has come whole, its answer is in the kernel's hands, not a byte of the next was read;
 * - `unknown`: this runtime does not tell.
 */
export type HttpActivity = 'elsewhere' | 'silent' | 'receiving' | 'answering' | 'between' | 'unknown';

interface HttpInternals {
  readonly parser?: HttpParser | null;
  _httpMessage?: ServerResponse | null;
}

/**
 * Asks one connection what `closeIdleConnections()` asks of all that a server has, and takes less than a microsecond.
 * Relies on `socket.parser`; on `socket._httpMessage`, the answer that is under way until its last byte was written, and
 * null after the first; on `parser.duration()`, which is 0 from the end of a request to the first byte of the next. With
 * Node 26.10 it is 0 before the first request, too, where it was not before. Where one of the latter two is gone the
 * activity is unknown: such a connection drains.
 */
export function httpActivity(socket: Socket): HttpActivity {
  const { parser, _httpMessage: answer } = socket as unknown as HttpInternals;
  if (parser == null) return 'elsewhere';
  if (typeof parser.duration !== 'function') return 'unknown';
  if (answer != null) return 'answering';
  if (answer === null && !hasPartOfRequest(socket)) return socket.writableLength === 0 ? 'between' : 'answering';
  // Asked last, because Node has to ask the number of its lower half.
  return socket.bytesRead === 0 ? 'silent' : 'receiving';
}

/**
 * Whether a request has come in part: what the parser has of it, or the socket has for the parser where it is encrypted or
 * somebody listens to its data. Relies on `parser.duration()`; where that is gone there always is.
 */
export function hasPartOfRequest(socket: Socket): boolean {
  const { parser } = socket as unknown as HttpInternals;
  return parser?.duration?.() !== 0 || socket.readableLength > 0;
}

/** Whether an HTTP parser still reads this socket: not after an upgrade. Relies on `socket.parser`. */
export function isReadByHttp(socket: Socket): boolean {
  return (socket as unknown as HttpInternals).parser != null;
}

/** The answer that is being given on a connection; null where none is. Relies on `socket._httpMessage`. */
export function answerUnderWay(socket: Socket): ServerResponse | null {
  return (socket as unknown as HttpInternals)._httpMessage ?? null;
}

/**
 * Whether no other request has begun on the connection since this one. Relies on `parser.incoming`; where that is gone it is
 * not known to be, and its answer does not say that it is the last.
 */
export function isLastRequest(socket: Socket, request: IncomingMessage): boolean {
  return (socket as unknown as HttpInternals).parser?.incoming === request;
}

/**
 * Makes the answer say `Connection: close`, or takes that back. Relies on `response.shouldKeepAlive`, which every
 * supported line reads when it writes the head; after that it has no effect.
 */
export function setKeepAlive(response: ServerResponse, keep: boolean): void {
  if (!response.headersSent) response.shouldKeepAlive = keep;
}

/**
 * How long a client may take to read its last answer, in milliseconds, before its connection is closed although something
 * of it was not read: a slow round trip. Who has been told that it is the last closes by itself when it has it.
 */
const lingering = 1_000;

/**
 * Has a connection that Node is about to close, because its answer was the last, read to its end first: closing a socket
 * with unread data sends RST, and the client loses the answer that it had not read. What comes is thrown away. Relies on
 * Node calling `socket.destroySoon()`, and on its parser leaving a socket to whoever listens to its `'data'`; without the
 * former it is closed at once, without the latter requests are served that get no answer.
 */
export function lingerAtEnd(socket: Socket): void {
  socket.destroySoon = () => {
    Reflect.deleteProperty(socket, 'destroySoon');
    const limit = setTimeout(() => socket.destroy(), lingering);
    socket.removeAllListeners('data');
    socket
      .on('data', () => {})
      .once('end', () => socket.destroy())
      .once('close', () => clearTimeout(limit));
    resumeReading(socket);
    socket.end();
  };
}

/**
 * The socket that an encrypted one of a server stands on. Relies on `tlsSocket._parent`; where that is gone it is null,
 * and one connection is counted as two.
 */
export function bareSocketOf(encrypted: Socket): Socket | null {
  const parent = (encrypted as unknown as SocketInternals)._parent;
  return parent instanceof Socket ? parent : null;
}

/**
 * Stops reading from a socket, at once: `pause()` lets one more read happen, whose bytes would be lost to the process
 * that has the connection then. Returns whether it could. Relies on `_handle.readStop()` and `_handle.reading`.
 */
export function stopReading(socket: Socket): boolean {
  const handle = (socket as unknown as SocketInternals)._handle;
  if (handle == null || typeof handle.readStop !== 'function') return false;
  handle.reading = false;
  handle.readStop();
  return true;
}

/** Reads again after `stopReading`. */
export function resumeReading(socket: Socket): void {
  const handle = (socket as unknown as SocketInternals)._handle;
  if (handle == null || typeof handle.readStart !== 'function') return;
  handle.reading = true;
  handle.readStart();
}

/**
 * What Node has read from a socket and the application has not, without taking it away; null where that cannot be told.
 * `socket.read()` would give it to the listeners of 'data', and could begin to read anew. Relies on
 * `_readableState.buffer`, with `bufferIndex` from Node 22 on, and checks it against `readableLength`; with
 * `setEncoding()` also on the decoder's `lastChar`: the bytes of a character that has not come whole.
 */
export function unreadBytes(socket: Socket): Buffer | null {
  const { buffer, bufferIndex = 0, decoder } = (socket as unknown as SocketInternals)._readableState ?? {};
  if (buffer == null || typeof buffer[Symbol.iterator] !== 'function') return null;
  const chunks = [...buffer].slice(bufferIndex);
  if (chunks.reduce((sum, chunk) => sum + chunk.length, 0) !== socket.readableLength) return null;
  const encoding = socket.readableEncoding ?? 'utf8';
  const bytes = chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk));
  if (decoder != null) {
    const { lastChar, lastNeed, lastTotal } = decoder;
    if (lastChar === undefined || lastNeed === undefined || lastTotal === undefined) return null;
    bytes.push(lastChar.subarray(0, lastTotal - lastNeed));
  }
  return Buffer.concat(bytes);
}

/** What Node adds to the keep-alive timeout that it announces, in milliseconds, where the server does not say. */
const keepAliveBuffer = 1000;

/**
 * How long Node leaves an idle connection open, in milliseconds; 0 for ever. Relies on `server.keepAliveTimeoutBuffer`, which
 * Node 20 does not have: it adds a second all the same.
 */
export function keepAliveLimit(server: HttpServer): number {
  const { keepAliveTimeoutBuffer } = server as unknown as { keepAliveTimeoutBuffer?: unknown };
  const limit = server.keepAliveTimeout;
  return isDuration(limit) && limit > 0
    ? limit + (isDuration(keepAliveTimeoutBuffer) ? keepAliveTimeoutBuffer : keepAliveBuffer)
    : 0;
}

/** As Node has it: anything else counts as if it were not given. */
function isDuration(value: unknown): value is number {
  return Number.isFinite(value) && (value as number) >= 0;
}

type ConnectionListener = (this: HttpServer, socket: Socket) => void;

let ownListener: ConnectionListener | null = null;

/**
 * Node's own listener to `'connection'`, by which HTTP reads a connection. Relies on every `http.Server` having that one, and
 * no other, when it is made.
 */
function httpListener(): ConnectionListener {
  ownListener ??= new HttpServer().listeners('connection')[0] as ConnectionListener;
  return ownListener;
}

/**
 * Whether HTTP itself reads what the server accepts. Packages for the PROXY protocol take Node's listener away from
 * `'connection'`, read what comes first, and call it themselves.
 */
export function isReadByHttpFirst(server: HttpServer): boolean {
  return server.listeners('connection').includes(httpListener());
}

/** Has HTTP read a connection, whoever else would read from it before. */
export function readAsHttp(server: HttpServer, socket: Socket): void {
  httpListener().call(server, socket);
}

/** The least that is a whole request. */
const leastRequest = Buffer.from('GET / HTTP/1.1\r\n\r\n');

/**
 * What a parser tells of a request without fields and without a body, by the names of its numbers. Of its reading and its
 * timeouts it tells further.
 */
const toldOfLeastRequest = ['kOnMessageBegin', 'kOnHeadersComplete', 'kOnMessageComplete'] as const;

/** Those numbers by the parser's class; null where it has others. Looked up once: it is done for every connection. */
const leastRequestNumbers = new WeakMap<object, readonly number[] | null>();

function numbersOfLeastRequest(parser: HttpParser): readonly number[] | null {
  const type = parser.constructor;
  const known = leastRequestNumbers.get(type);
  if (known !== undefined) return known;
  const all = type as unknown as Record<string, unknown>;
  const numbers = toldOfLeastRequest.map((name) => all[name]).filter((number) => typeof number === 'number');
  const found = numbers.length === toldOfLeastRequest.length ? numbers : null;
  leastRequestNumbers.set(type, found);
  return found;
}

/**
 * Puts a connection that HTTP has begun to read into the state of one whose last request is answered: `close()` and
 * `closeIdleConnections()` close it, and it owes no head, for which it would be answered 408. What says so is in C++ alone
 * (`last_message_start_` of the parser), and a whole request is what resets it: the parser is given one of which nobody
 * hears. Returns whether it could. Relies on `socket.parser`, its `execute()`, the numbers of its callbacks, and
 * `socket._httpMessage`; where they are gone the connection is taken for a new one.
 */
export function markIdle(socket: Socket): boolean {
  const { parser } = socket as unknown as HttpInternals;
  if (parser == null || typeof parser.execute !== 'function') return false;
  const numbers = numbersOfLeastRequest(parser);
  if (numbers === null) return false;
  const before = numbers.map((number) => parser[number]);
  for (const number of numbers) parser[number] = null;
  try {
    if (parser.execute(leastRequest) instanceof Error) return false;
    // As Node leaves it when an answer is over.
    (socket as unknown as HttpInternals)._httpMessage = null;
    return true;
  } finally {
    for (const [index, number] of numbers.entries()) parser[number] = before[index];
  }
}

/**
 * Calls `begun` when the next request of a connection has its head, just before anybody hears of that. Relies on
 * `socket.parser.onIncoming`; where that is gone it is never called.
 */
export function onNextRequest(socket: Socket, begun: () => void): void {
  const { parser } = socket as unknown as HttpInternals;
  const { onIncoming } = parser ?? {};
  if (parser == null || typeof onIncoming !== 'function') return;
  parser.onIncoming = function nextRequest(...request: unknown[]) {
    // Back in its place first: a parser that is freed and used again has another.
    parser.onIncoming = onIncoming;
    begun();
    return onIncoming.apply(this, request);
  };
}

/** How a server treats what it accepts, under the names that it keeps it under. */
const accepting = [
  'allowHalfOpen',
  'pauseOnConnect',
  'noDelay',
  'keepAlive',
  'keepAliveInitialDelay',
  'highWaterMark',
] as const;

/**
 * Makes `companion` accept as `server` does. Relies on the properties in which `net.Server` keeps its options; where one
 * is gone `companion` has Node's default.
 */
export function acceptLike(server: Server, companion: Server): void {
  const options = server as unknown as Record<string, unknown>;
  for (const name of accepting) {
    if (options[name] !== undefined) Object.assign(companion, { [name]: options[name] });
  }
}

/**
 * A connection as `server` itself would have accepted it; takes `fd` over, unless it throws. Relies on what `acceptLike`
 * does.
 */
export function acceptedSocket(server: Server, fd: number): Socket {
  const {
    allowHalfOpen = false,
    pauseOnConnect = false,
    noDelay = false,
    keepAlive = false,
    keepAliveInitialDelay = 0,
    highWaterMark,
  } = server as unknown as {
    readonly allowHalfOpen?: boolean;
    readonly pauseOnConnect?: boolean;
    readonly noDelay?: boolean;
    readonly keepAlive?: boolean;
    /** In seconds, as the kernel has it. */
    readonly keepAliveInitialDelay?: number;
    readonly highWaterMark?: number;
  };
  const socket = new Socket({
    fd,
    allowHalfOpen,
    pauseOnCreate: pauseOnConnect,
    highWaterMark,
  } as SocketConstructorOpts);
  if (noDelay) socket.setNoDelay(true);
  if (keepAlive) socket.setKeepAlive(true, keepAliveInitialDelay * 1000);
  return socket;
}

/**
 * Whether `server` would turn this connection away. Relies on `server._connections` and `server.blockList`; where they are
 * gone it never does.
 */
export function turnsAway(server: Server, { remoteAddress, remoteFamily }: Socket): boolean {
  const { _connections: open, blockList } = server as unknown as {
    readonly _connections?: number;
    readonly blockList?: BlockList;
  };
  if (typeof open === 'number' && server.maxConnections > 0 && open >= server.maxConnections) return true;
  if (remoteAddress === undefined) return false;
  return blockList?.check(remoteAddress, remoteFamily === 'IPv6' ? 'ipv6' : 'ipv4') ?? false;
}

/**
 * Makes a connection one of `server`'s own, in `getConnections()` and for `close()`. Relies on `server._connections` and
 * `socket._server`, which Node sets for what it accepts; where they are gone it is served all the same, uncounted.
 */
export function countAsAccepted(server: Server, socket: Socket): void {
  const counting = server as unknown as { _connections?: unknown };
  const { _server: accepted } = socket as unknown as { readonly _server?: { _connections: number } | null };
  if (typeof counting._connections !== 'number' || accepted === (server as unknown)) return;
  // One that another server has accepted for this one is counted there until now.
  if (accepted != null) accepted._connections--;
  counting._connections++;
  Object.assign(socket, { server, _server: server });
}

/**
 * Changes the session id context of a TLS server that has been made already. Relies on `server._sharedCreds.context`;
 * where that is gone clients of the predecessor make a full handshake.
 */
export function setSessionIdContext(server: TlsServer, sessionIdContext: string): void {
  const internals = server as unknown as {
    sessionIdContext?: string;
    _sharedCreds?: { context?: { setSessionIdContext?: (value: string) => void } };
  };
  const context = internals._sharedCreds?.context;
  if (typeof context?.setSessionIdContext !== 'function') return;
  context.setSessionIdContext(sessionIdContext);
  internals.sessionIdContext = sessionIdContext;
}

/** What `node:dgram` keeps of a socket, under a symbol of its own (`kStateSymbol` of lib/internal/dgram.js). */
interface DatagramInternals {
  readonly handle: DatagramHandle | null;
  receiving: boolean;
  connectState: number;
  readonly reuseAddr?: boolean;
  readonly reusePort?: boolean;
  readonly ipv6Only?: boolean;
}

interface DatagramHandle {
  readonly recvStart?: () => number;
  readonly recvStop?: () => number;
  readonly open?: (fd: number) => number;
  readonly close: () => void;
}

/** `CONNECT_STATE_CONNECTED` of lib/dgram.js. */
const connectStateConnected = 2;

function datagramInternals(socket: DatagramSocket): DatagramInternals | null {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol');
  const internals = symbol && (socket as unknown as { [symbol]: Partial<DatagramInternals> })[symbol];
  return typeof internals === 'object' && 'handle' in internals ? (internals as DatagramInternals) : null;
}

/**
 * Takes no more datagrams out of the kernel: they wait in the socket's buffer, and it can still send. Returns whether it
 * could. Relies on `handle.recvStop()` (`uv_udp_recv_stop`); where that is gone a socket receives until it is closed.
 */
export function stopReceiving(socket: DatagramSocket): boolean {
  const internals = datagramInternals(socket);
  if (typeof internals?.handle?.recvStop !== 'function') return false;
  internals.handle.recvStop();
  internals.receiving = false;
  return true;
}

/** Receives again after `stopReceiving`. */
export function resumeReceiving(socket: DatagramSocket): void {
  const internals = datagramInternals(socket);
  if (typeof internals?.handle?.recvStart !== 'function') return;
  internals.handle.recvStart();
  internals.receiving = true;
}

/** The type with which a socket was made. Relies on `socket.type`; where that is gone every socket is of type udp4. */
export function datagramType(socket: DatagramSocket): 'udp4' | 'udp6' {
  return (socket as unknown as { type?: unknown }).type === 'udp6' ? 'udp6' : 'udp4';
}

/**
 * What `dgram.createSocket()` was told of binding, which Node itself would read when it binds. Relies on `reuseAddr`,
 * `reusePort` and `ipv6Only`; where they are gone a new socket is bound without.
 */
export function bindOptionsOf(socket: DatagramSocket): {
  reuseAddress: boolean;
  reusePort: boolean;
  ipv6Only: boolean;
} {
  const { reuseAddr, reusePort, ipv6Only } = datagramInternals(socket) ?? {};
  return {
    reuseAddress: reuseAddr === true,
    // As libuv does (uv__set_reuse): on macOS it is SO_REUSEPORT that lets several take a group's datagrams.
    reusePort: reusePort === true || (reuseAddr === true && process.platform !== 'linux'),
    ipv6Only: ipv6Only === true,
  };
}

/**
 * Tells Node that the descriptor that it is about to get is connected: `send()` without an address and `remoteAddress()`
 * work then. Relies on `connectState`; where that is gone they throw, and a `connect()` fails with EISCONN.
 */
export function setConnected(socket: DatagramSocket): void {
  const internals = datagramInternals(socket);
  if (typeof internals?.connectState === 'number') internals.connectState = connectStateConnected;
}

/**
 * Binds to a Unix datagram socket, which `bind({ fd })` refuses by its family (`guessHandleType`) although all below it
 * receives from one: `uv_udp_open` asks for no family, and `AddressToJS` makes an empty address of the sender's. Relies on
 * the constructor of the handle, `handle.open()`, and on `bind(handle)`, by which node:cluster gives a socket its handle.
 *
 * @param fd is Node's from then on, unless this throws ERR_HANDOFF_UNSUPPORTED_PLATFORM or a system error
 */
export function bindToUnixSocket(socket: DatagramSocket, fd: number): void {
  const handle = datagramInternals(socket)?.handle;
  if (handle == null || typeof handle.open !== 'function' || typeof handle.recvStart !== 'function') {
    throw new HandoffError(
      'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
      `This runtime (${process.version}) cannot receive from a Unix datagram socket, or the socket is closed.`,
    );
  }
  const Handle = handle.constructor as new () => Required<DatagramHandle>;
  const other = new Handle();
  const result = other.open(fd);
  if (result < 0) {
    other.close();
    throw systemError(result, 'open', { fd });
  }
  socket.bind(other as never);
}

/**
 * The servers of this process that listen, whoever has made them. Relies on `process._getActiveHandles()`, which leaves out
 * those that are unreferenced; where that is gone none is found, and what a server does by itself is not told.
 */
export function listeningServers(): Server[] {
  const { _getActiveHandles } = process as unknown as { _getActiveHandles?: () => unknown[] };
  return (_getActiveHandles?.call(process) ?? [])
    .filter((handle) => handle instanceof Server)
    .filter(({ listening }) => listening);
}

/** The channel that `fork()` has given this process, to whoever has forked it. */
export interface ParentChannel {
  /** Its descriptor; borrowed. */
  readonly fd: number;
  /** What comes from now on stays in the kernel. */
  stopReading(): void;
  startReading(): void;
  /**
   * Whether nothing is half done: no part of a message was read, none is still to be written, and no handle waits for the
   * other side's word that it has arrived.
   */
  isQuiet(): boolean;
}

interface ChannelHandle {
  readonly fd?: number;
  readonly writeQueueSize?: number;
  readStop?(): void;
  readStart?(): void;
  [state: symbol]: unknown;
}

/**
 * The channel of this process to its parent; null where there is none, or where this runtime does not tell what is read of
 * it. Relies on `process[kChannelHandle]`, a pipe whose `kJSONBuffer` and `kStringDecoder` (or `kMessageBuffer`, with
 * advanced serialization) have what has come of a message, and on `process._handleQueue`, which is set while a handle is
 * under way. Where one of them is gone the channel does not survive an exec.
 */
export function parentChannel(): ParentChannel | null {
  const handle = named<ChannelHandle>(process, 'kChannelHandle');
  if (process.connected !== true || handle === undefined || typeof handle.fd !== 'number' || handle.fd < 0) return null;
  if (handle.readStop === undefined || handle.readStart === undefined) return null;
  return {
    fd: handle.fd,
    stopReading: () => handle.readStop?.(),
    startReading: () => handle.readStart?.(),
    isQuiet: () => isEmptied(handle) && handle.writeQueueSize === 0 && !passesHandles(),
  };
}

function isEmptied(handle: ChannelHandle): boolean {
  const text = named<string>(handle, 'kJSONBuffer');
  if (text !== undefined)
    return text === '' && (named<{ lastNeed?: number }>(handle, 'kStringDecoder')?.lastNeed ?? 0) === 0;
  const pieces = named<unknown[]>(handle, 'kMessageBuffer');
  return pieces !== undefined && pieces.length === 0;
}

function passesHandles(): boolean {
  const { _handleQueue: queue, _pendingMessage: pending } = process as {
    _handleQueue?: unknown;
    _pendingMessage?: unknown;
  };
  return (queue ?? pending ?? null) !== null;
}

/** What an object has under a symbol that only its name is known of. */
function named<Value>(object: object, name: string): Value | undefined {
  const symbol = Object.getOwnPropertySymbols(object).find(({ description }) => description === name);
  return symbol === undefined ? undefined : ((object as Record<symbol, unknown>)[symbol] as Value);
}
