// Koa, unchanged: `callback()` is the request listener of a server that fd-handoff listens with.
import http from 'node:http';
import { handoff } from 'fd-handoff';
import Koa from 'koa';

const web = new Koa();
web.use((context) => {
  context.set('x-served-by', String(process.pid));
  context.body = 'hello from Koa\n';
});

const app = await handoff({ control: process.env.CONTROL ?? './app.sock' });
const { port } = await app.listen(http.createServer(web.callback()), { port: Number(process.env.PORT ?? 8080) });
await app.ready();
console.log(JSON.stringify({ event: 'ready', pid: process.pid, generation: app.generation, port }));
