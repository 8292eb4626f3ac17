// A server that tells where its debugger listens: with every answer, and when it is ready.
import http from 'node:http';
import inspector from 'node:inspector';
import { handoff } from 'fd-handoff';

const tell = (event, details = {}) => console.log(JSON.stringify({ event, pid: process.pid, ...details }));
const debuggerNow = () => inspector.url() ?? null;

const server = http.createServer((request, response) => {
  if (request.url === '/open') inspector.open(0, '127.0.0.1', false);
  if (request.url === '/reexec') app.reexec().catch((error) => tell('failed', { message: error.message }));
  const answer = () => response.end(JSON.stringify({ pid: process.pid, url: debuggerNow() }));
  if (request.url !== '/slow') return answer();
  response.write(' ');
  tell('slow');
  process.once('SIGWINCH', answer);
});
const app = await handoff({ control: process.env.CONTROL, ...JSON.parse(process.env.OPTIONS ?? '{}') });
app.on('rollback', (error) => tell('rollback', { code: error.error?.code }));
app.on('give-back', () => tell('give-back'));
const { port } = await app.listen(server, { port: 0, host: '127.0.0.1' });
if (app.generation > 0 && process.env.FAILS !== undefined) process.exit(1);
const before = debuggerNow();
await app.ready();
tell('ready', { generation: app.generation, port, before, options: process.execArgv, env: process.env.NODE_OPTIONS });
