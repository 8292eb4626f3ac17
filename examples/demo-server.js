// The server of `npm run demo`: http-server.js, and WebSockets beside it that echo what comes. Replaced in the same ways.
import http from 'node:http';
import { handoff } from 'fd-handoff';
import { WebSocketServer } from 'ws';
import { adoptWebSocket, moveWebSocket } from './chat-server/websocket-moving.js';

const server = http.createServer((_request, response) => {
  response.setHeader('x-served-by', process.pid);
  response.end(`hello from ${process.pid}\n`);
});

const webSockets = new WebSocketServer({ noServer: true });
server.on('upgrade', (request, socket, head) => webSockets.handleUpgrade(request, socket, head, echo));

function echo(webSocket) {
  webSocket.on('error', () => {});
  webSocket.on('message', (message) => webSocket.send(`${message} ${process.pid}`));
}

function move(webSocket) {
  moveWebSocket(app, 'echo', webSocket, () => null);
}

const app = await handoff({ control: process.env.CONTROL ?? './app.sock' });
const { port } = await app.listen(server, { name: 'web', port: Number(process.env.PORT ?? 8080) });

app.connections('echo', (socket, saved) => {
  const webSocket = adoptWebSocket(webSockets, socket, saved);
  echo(webSocket);
  // This process is being replaced itself, and its predecessor still moves.
  if (app.draining.aborted) move(webSocket);
});

let connections = 'served';
app.on('commit', () => {
  connections = 'moving';
  console.log(`draining pid=${process.pid}`);
  for (const webSocket of webSockets.clients) move(webSocket);
});
app.on('give-back', () => {
  connections = 'served';
  closeAtShutdown();
});

/** Without a successor nobody takes the connections. The abort comes just before 'commit', where there is one. */
function closeAtShutdown() {
  const close = () => {
    if (connections === 'moving') return;
    for (const webSocket of webSockets.clients) webSocket.close(1012, 'Service Restart');
  };
  app.draining.addEventListener('abort', () => setImmediate(close));
}

closeAtShutdown();
app.onClose(() => console.log(`gone pid=${process.pid}`));

await app.ready();
console.log(`ready pid=${process.pid} generation=${app.generation} port=${port}`);
