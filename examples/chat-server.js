// A chat whose WebSockets survive deploys: no client sees a close, and no message is lost, doubled or reordered.
//
//   npm install ws
//   node examples/chat-server.js              starts it, on PORT (8080), CONTROL (./chat.sock), LOG (./chat.log)
//   ws://localhost:8080/<room>?name=<name>    is where clients connect to
//   kill -HUP <pid>                           replaces it by the version that is on the disk now
//   node examples/chat-server.js              so does running it again
//
import http from 'node:http';
import { handoff } from 'fd-handoff';
import { WebSocketServer } from 'ws';
import { RoomLog } from './chat-server/room-log.js';
import { adoptWebSocket, moveWebSocket } from './chat-server/websocket-moving.js';

/** RFC 6455 has no code for "reconnect, another process is there for you"; the registry of its codes has 1012. */
const serviceRestart = 1012;

/** How long a connection that cannot move may go on here before it is told to reconnect: nobody waits, but two versions talk. */
const stayLimit = Number(process.env.STAY ?? 20_000);

/** The deadline for a message boundary: nothing is gained by more. */
const timeout = Math.min(10_000, stayLimit);

/** COMPRESSION is one of these. */
const compressions = {
  // With these two every compressed message stands by itself, and a connection can move between any two of them.
  independent: { serverNoContextTakeover: true, clientNoContextTakeover: true },
  // Messages look back at earlier ones: connections that have agreed on this cannot move, and end at a deploy.
  'taken over': true,
  off: false,
};

const webSockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: compressions[process.env.COMPRESSION ?? 'independent'],
});

/** Somebody in a room. `heard` is the place in the log up to which this client has got everything. */
class Member {
  static rooms = new Map();

  constructor(webSocket, { room, name, heard }) {
    Object.assign(this, { webSocket, room, name, heard, state: 'here' });
    const members = Member.rooms.get(room) ?? new Set();
    Member.rooms.set(room, members.add(this));
    webSocket.on('message', (text) => log.append({ room, name, text: text.toString() }));
    webSocket.on('error', () => {});
    webSocket.on('close', () => {
      members.delete(this);
      if (members.size === 0 && Member.rooms.get(room) === members) Member.rooms.delete(room);
    });
    this.catchUp();
  }

  static get all() {
    return [...Member.rooms.values()].flatMap((members) => [...members]);
  }

  hear({ room, name, text, start, end }) {
    if (this.state !== 'here' || room !== this.room || start < this.heard) return;
    this.heard = end;
    this.webSocket.send(JSON.stringify({ name, text }));
  }

  /** What was said while nobody told this member. */
  catchUp() {
    for (const entry of log.since(this.room, this.heard)) this.hear(entry);
  }

  async move() {
    const { room, name } = this;
    const describe = () => {
      this.state = 'leaving';
      // All that this process has read was told to this member, or was said in another room.
      this.heard = Math.max(this.heard, log.position);
      return { room, name, heard: this.heard };
    };
    const moved = await moveWebSocket(app, 'chat', this.webSocket, describe, { timeout });
    if (moved) return;
    this.state = 'here';
    this.catchUp();
  }
}

const server = http.createServer((_request, response) => response.end(`${Member.all.length} members\n`));
server.on('upgrade', (request, socket, head) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  webSockets.handleUpgrade(request, socket, head, (webSocket) => {
    const name = searchParams.get('name') ?? 'somebody';
    new Member(webSocket, { room: pathname, name, heard: log.position });
    webSocket.send(JSON.stringify({ welcome: name, pid: process.pid }));
  });
});

const app = await handoff({ control: process.env.CONTROL ?? './chat.sock' });
const log = new RoomLog(process.env.LOG ?? './chat.log', (entry) => {
  for (const member of Member.rooms.get(entry.room) ?? []) member.hear(entry);
});

app.connections('chat', (socket, saved) => {
  const member = new Member(adoptWebSocket(webSockets, socket, saved), saved.data);
  // This process is being replaced itself, and its predecessor still moves.
  if (app.draining.aborted) member.move();
});

function closeAll() {
  for (const { webSocket } of Member.all) webSocket.close(serviceRestart, 'Service Restart');
}

/** Without a successor nobody takes the connections. */
function closeAtShutdown() {
  app.draining.addEventListener('abort', () => setImmediate(() => lastCall === undefined && closeAll()));
}

let lastCall;
closeAtShutdown();
app.on('commit', () => {
  console.log(`draining pid=${process.pid}`);
  // The successor knows what was said from its start on; so this must have been told up to there.
  log.read();
  for (const member of Member.all) member.move();
  lastCall = setTimeout(closeAll, stayLimit);
});
app.on('give-back', () => {
  // The successor died: whoever is still here stays.
  clearTimeout(lastCall);
  lastCall = undefined;
  closeAtShutdown();
});
app.onClose(() => {
  log.close();
  console.log(`gone pid=${process.pid}`);
});

const { port } = await app.listen(server, { name: 'chat', port: Number(process.env.PORT ?? 8080) });
await app.ready();
console.log(`ready pid=${process.pid} generation=${app.generation} port=${port}`);
