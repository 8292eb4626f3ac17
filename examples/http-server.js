// A server that can be replaced while it serves.
//
//   node examples/http-server.js              starts it, on PORT (8080) with the control socket CONTROL (./app.sock)
//   kill -HUP <pid>                           replaces it by the version that is on the disk now
//   node examples/http-server.js              so does running it again
//
import http from 'node:http';
import { handoff } from 'fd-handoff';

const server = http.createServer((_request, response) => {
  response.setHeader('x-served-by', process.pid);
  response.end(`hello from ${process.pid}\n`);
});

const app = await handoff({ control: process.env.CONTROL ?? './app.sock' });
const { port } = await app.listen(server, { name: 'web', port: Number(process.env.PORT ?? 8080) });

app.on('commit', () => console.log(`draining pid=${process.pid}`));
app.onClose(() => console.log(`gone pid=${process.pid}`));

await app.ready();
console.log(`ready pid=${process.pid} generation=${app.generation} port=${port}`);
