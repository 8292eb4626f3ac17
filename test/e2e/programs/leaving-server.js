// A server whose clients stay long: event streams and WebSockets. What `onDrain()` does comes from the environment.
import http from 'node:http';
import { handoff } from 'fd-handoff';
import { WebSocketServer } from 'ws';

const { CONTROL, PORT = '0', OPTIONS = '{}', ON_DRAIN = 'tells' } = process.env;

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

const app = await handoff({ ...(CONTROL === undefined ? {} : { control: CONTROL }), ...JSON.parse(OPTIONS) });
app.on('error', ({ code, message }) => tell('error', { code, message }));
for (const event of ['pause', 'resume', 'give-back', 'drain']) app.on(event, (details) => tell(event, { ...details }));

const webSockets = new WebSocketServer({ noServer: true });
const actions = {
  tells: () => {},
  throws: () => {
    throw new Error('the hook has failed');
  },
  hangs: () => new Promise(() => {}),
  closes: () => {
    for (const client of webSockets.clients) client.close(4000);
  },
};
app.onDrain((reason) => {
  tell('on-drain', { reason });
  return actions[ON_DRAIN]();
});

const server = http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  if (pathname === '/late-hook') {
    app.onDrain((reason) => tell('late', { reason }));
    response.end();
    return;
  }
  if (pathname === '/reexec') {
    app.reexec().catch(({ code }) => tell('reexec-failed', { code }));
    response.end();
    return;
  }
  if (pathname !== '/events') {
    response.end(`${process.pid}`);
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(`data: ${process.pid}\n\n`);
  const end = performance.now() + Number(searchParams.get('for'));
  const timer = setInterval(() => {
    response.write('data: more\n\n');
    if (performance.now() >= end) response.end('data: last\n\n');
  }, 20);
  response.once('close', () => clearInterval(timer));
  tell('streaming');
});
server.on('upgrade', (request, socket, head) => {
  webSockets.handleUpgrade(request, socket, head, (client) => {
    client.on('message', (data) => client.send(data));
    client.send('welcome');
  });
});
const { port } = await app.listen(server, { port: Number(PORT), host: '127.0.0.1' });
await app.ready();
tell('ready', { generation: app.generation, port });
