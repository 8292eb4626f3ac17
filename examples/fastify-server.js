// Fastify, unchanged but for listen(): `ready()` finishes its plugins, and fd-handoff listens with its server. Its own
// `close()` hooks run before the process leaves.
import Fastify from 'fastify';
import { handoff } from 'fd-handoff';

const web = Fastify();
web.get('/', async (_request, reply) => {
  reply.header('x-served-by', String(process.pid));
  return 'hello from Fastify\n';
});

const app = await handoff({ control: process.env.CONTROL ?? './app.sock' });
await web.ready();
const { port } = await app.listen(web.server, { port: Number(process.env.PORT ?? 8080) });
app.onClose(() => web.close());
await app.ready();
console.log(JSON.stringify({ event: 'ready', pid: process.pid, generation: app.generation, port }));
