// Moves WebSockets of the `ws` package (version 8) from a process to its successor. Copy it.
//
//   app.on('commit', () => {
//     for (const webSocket of webSockets.clients) moveWebSocket(app, 'chat', webSocket, () => ({ name: … }));
//   });
//   app.connections('chat', (socket, saved) => {
//     const webSocket = adoptWebSocket(webSockets, socket, saved);
//     … saved.data …
//   });
//
// A WebSocket can move between two messages: of a message that has come in part, or is being inflated or deflated, what is
// there is in this process's memory, and `ws` has no way to give it out. So this waits for a boundary. What can never move:
//
// - a connection with permessage-deflate whose compression looks back at earlier messages (context takeover, the
//   protocol's default): the dictionary is in memory. Make the server with `serverNoContextTakeover: true` and
//   `clientNoContextTakeover: true`; then every message stands by itself;
// - one that is closing already;
// - one whose message does not end before the deadline.
//
// `moveWebSocket` resolves with false for those, and they go on in this process: close them with 1012 (Service Restart).
//
// Whatever is not public in `ws` is in the functions of the last section.
import { WebSocket } from 'ws';

/** How long a boundary may take to come, in milliseconds: longer than a message, and shorter than the drain. */
const boundaryTimeout = 10_000;

/** What a successor needs to go on: what the handshake has agreed, and the application's own. */
function saved(webSocket, data) {
  return { protocol: webSocket.protocol, extensions: agreedExtensions(webSocket), data };
}

/**
 * Waits for a message boundary and gives the connection to the successor. Resolves with whether that has it; this
 * process's `webSocket` emits 'close' then, and its client notices nothing. Otherwise it goes on here.
 *
 * `describe` is called at the boundary, for the data that go along. From then on, until this has settled, nothing may be
 * sent on `webSocket`; before, everything may.
 */
export async function moveWebSocket(app, route, webSocket, describe, { timeout = boundaryTimeout } = {}) {
  const deadline = performance.now() + timeout;
  // Looked at again after every wait: somebody else's turn may have come before ours.
  while (isMovable(webSocket) && !isAtBoundary(webSocket)) {
    if (!(await isSettledBefore(deadline, webSocket))) return false;
  }
  // The successor may have died while the boundary was waited for: after a give-back there is nobody to move to.
  if (!isMovable(webSocket) || !app.draining.aborted) return false;
  // No pause from here to move(), which stops the reading.
  const head = unusedBytes(webSocket);
  return app.move(route, socketOf(webSocket), { data: saved(webSocket, describe()), head });
}

/**
 * Makes a connection that was moved here a WebSocket of `server`, a `WebSocketServer` with the same options as the
 * predecessor's; not with `verifyClient`, which has verified it already. Throws where it cannot go on as it was agreed
 * with the client: the predecessor keeps it then.
 */
export function adoptWebSocket(server, socket, { protocol, extensions }) {
  // The handshake was long ago, and in another process: the server sees the request for what was agreed then, and its
  // answer is compared instead of sent.
  const headers = {
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.alloc(16).toString('base64'),
    ...(protocol === '' ? {} : { 'sec-websocket-protocol': protocol }),
    ...(extensions === '' ? {} : { 'sec-websocket-extensions': extensions }),
  };
  const request = { method: 'GET', url: server.options.path ?? '/', headers, socket };
  let answer = '';
  let adopted = null;
  socket.write = (text) => {
    answer += text;
    return true;
  };
  socket.end = (text) => {
    answer += text;
    return socket;
  };
  server.handleUpgrade(request, socket, Buffer.alloc(0), (webSocket) => {
    adopted = webSocket;
  });
  Reflect.deleteProperty(socket, 'write');
  Reflect.deleteProperty(socket, 'end');
  if (adopted === null || adopted.protocol !== protocol || agreedExtensions(adopted) !== extensions) {
    const wanted = [protocol, extensions].filter((text) => text !== '').join(', ') || 'nothing special';
    throw new Error(`This server cannot go on with a WebSocket that agreed on ${wanted}: ${answer.split('\r\n')[0]}`);
  }
  return adopted;
}

/** Resolves at the next boundary, or when there can be none, with true; when `deadline` is over, with false. */
function isSettledBefore(deadline, webSocket) {
  const socket = socketOf(webSocket);
  return new Promise((resolve) => {
    let check = null;
    const look = () => {
      check = null;
      if (!isMovable(webSocket) || isAtBoundary(webSocket)) settle(true);
      // Nothing tells that all is deflated, but what is sent last is sent after it. Clients ignore an unasked-for pong.
      else if (isDeflating(webSocket)) webSocket.pong('', false, lookSoon);
    };
    // After everything of this turn: `ws` parses on after it has emitted a message.
    const lookSoon = () => {
      check ??= setImmediate(look);
    };
    const settle = (inTime) => {
      clearTimeout(timer);
      clearImmediate(check);
      // For a pong that is sent only now.
      check = 'settled';
      socket.off('data', lookSoon).off('close', lookSoon);
      for (const event of events) webSocket.off(event, lookSoon);
      resolve(inTime);
    };
    const timer = setTimeout(settle, deadline - performance.now(), false);
    // A message that was compressed comes later than its bytes.
    const events = ['message', 'ping', 'pong', 'close'];
    for (const event of events) webSocket.on(event, lookSoon);
    socket.on('data', lookSoon).on('close', lookSoon);
    lookSoon();
  });
}

// ---- what `ws` keeps to itself ----

/** The receiver's state between two frames: `GET_INFO` in ws/lib/receiver.js. */
const betweenFrames = 0;

/** The TCP connection; `ws` has no public name for it. */
function socketOf(webSocket) {
  return webSocket._socket;
}

function isMovable(webSocket) {
  if (webSocket.readyState !== WebSocket.OPEN) return false;
  const deflate = webSocket._extensions['permessage-deflate'];
  if (deflate === undefined) return true;
  return deflate.params.server_no_context_takeover === true && deflate.params.client_no_context_takeover === true;
}

/** Whether no message is under way in either direction. What the socket has yet to write is waited for by `move()`. */
function isAtBoundary(webSocket) {
  const { _receiver: receiver, _sender: sender } = webSocket;
  return (
    receiver._state === betweenFrames &&
    // Between two frames of one message; `_fragmented` is the opcode of its first.
    receiver._fragmented === 0 &&
    // A frame's header is two bytes at least: one alone is kept as it came, and goes along.
    receiver._bufferedBytes < 2 &&
    // Chunks that wait until a message before them is inflated.
    receiver.writableLength === 0 &&
    // The application sends a message in fragments, and the last is still to come.
    sender._firstFragment &&
    !isDeflating(webSocket)
  );
}

/** Whether messages are being deflated, or wait behind one that is. */
function isDeflating({ _sender: sender }) {
  // `bufferedAmount` is public, and has the bytes in it too that the socket has yet to write.
  return sender._bufferedBytes > 0 || sender._queue.length > 0;
}

/** What was read after the last message and is not a frame yet. */
function unusedBytes(webSocket) {
  return Buffer.concat(webSocket._receiver._buffers);
}

/** The extensions with their parameters, as in the header of the handshake; `webSocket.extensions` has their names only. */
function agreedExtensions(webSocket) {
  return Object.entries(webSocket._extensions)
    .map(([name, { params }]) => {
      const parameters = Object.entries(params).map(([key, value]) => (value === true ? key : `${key}=${value}`));
      return [name, ...parameters].join('; ');
    })
    .join(', ');
}
