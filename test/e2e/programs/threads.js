// Two generations in one process: a worker thread serves, and a second one takes over from it by the control path. The
// main thread starts the second one when it gets SIGUSR2, and lives on.
import http from 'node:http';
import { isMainThread, threadId, Worker } from 'node:worker_threads';
import { handoff } from 'fd-handoff';

const { CONTROL } = process.env;

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, thread: threadId, ...details }));
}

function startThread() {
  new Worker(new URL(import.meta.url)).on('exit', (code) => tell('thread-gone', { code }));
}

async function serve() {
  const refused = await handoff({ control: CONTROL }).catch(({ code }) => code);
  const app = await handoff({ control: CONTROL, signals: false });
  const server = http.createServer((_request, response) => {
    response.setHeader('x-served-by', threadId);
    response.end('hello from a thread\n');
  });
  const { port } = await app.listen(server, { name: 'web', port: 0 });
  await app.ready();
  const reexec = await app.reexec().catch(({ code }) => code);
  tell('ready', { generation: app.generation, addresses: [{ port }], refused, reexec });
}

if (isMainThread) {
  startThread();
  process.on('SIGUSR2', startThread);
  setInterval(() => {}, 60_000);
} else await serve();
