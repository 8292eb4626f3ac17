// Express, unchanged: the application is the request listener of a server that fd-handoff listens with.
import http from 'node:http';
import express from 'express';
import { handoff } from 'fd-handoff';

const web = express();
web.get('/', (_request, response) => {
  response.set('x-served-by', String(process.pid)).send('hello from Express\n');
});

const app = await handoff({ control: process.env.CONTROL ?? './app.sock' });
const { port } = await app.listen(http.createServer(web), { port: Number(process.env.PORT ?? 8080) });
await app.ready();
console.log(JSON.stringify({ event: 'ready', pid: process.pid, generation: app.generation, port }));
