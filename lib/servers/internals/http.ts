/** What Node's HTTP keeps of a connection and of its parser. */
import { Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { resumeReading } from './sockets.ts';

/** What reads requests from a connection (`HTTPParser` of node_http_parser.cc). */
interface HttpParser {
  readonly duration?: () => number;
  readonly incoming?: IncomingMessage | null;
  execute?: (bytes: Buffer) => unknown;
  onIncoming?: ((...request: unknown[]) => unknown) | null;
  /** By the numbers that its class has for them, such as `kOnHeadersComplete`: who is told of what it reads. */
  [told: number]: unknown;
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
