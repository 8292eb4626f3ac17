// The server of docs/websockets.md#socketio, with what a test has to know of it.

import http from 'node:http';
import { createRequire } from 'node:module';
import { handoff } from 'fd-handoff';

const { Server } = createRequire(process.env.PACKAGES)('socket.io');

const app = await handoff({ control: process.env.CONTROL });
const server = http.createServer();
const io = new Server(server);
io.on('connection', (socket) => socket.emit('welcome', process.pid));

app.onDrain(() => io.engine.close());

const { port } = await app.listen(server, { port: 0, host: '127.0.0.1' });
await app.ready();
console.log(JSON.stringify({ event: 'ready', pid: process.pid, generation: app.generation, port }));
