// A cluster whose primary can be replaced, workers and all, and whose workers can be replaced one by one.
//
//   node examples/cluster-server.js           starts it, on PORT (8080), with WORKERS (2) workers
//   kill -HUP <pid of the primary>            replaces the whole of it by the version that is on the disk now
//   kill -USR2 <pid of the primary>           replaces its workers, one by one; the primary stays
//
// With SOCKET=<path> it listens on that socket file, too.
import cluster from 'node:cluster';
import http from 'node:http';
import { handoff } from 'fd-handoff';

const { CONTROL = './app.sock', PORT = '8080', SOCKET, WORKERS = '2' } = process.env;

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

async function runPrimary() {
  let pool;
  const app = await handoff({
    control: CONTROL,
    signals: { SIGHUP: 'upgrade', SIGUSR2: roll, SIGTERM: 'shutdown', SIGINT: 'shutdown', SIGQUIT: 'shutdown' },
  });
  app.on('error', ({ message }) => tell('error', { message }));

  // Held, and not accepted on: the workers do that, with copies.
  const { port } = await app.hold({ name: 'web', port: Number(PORT) });
  if (SOCKET !== undefined) await app.hold({ name: 'local', path: SOCKET });
  pool = await app.workers({ count: Number(WORKERS) });
  await app.ready();
  tell('ready', { generation: app.generation, port, workers: pool.pids });

  async function roll() {
    try {
      await pool?.roll();
      tell('rolled', { workers: pool?.pids });
    } catch ({ message }) {
      tell('not-rolled', { message, workers: pool?.pids });
    }
  }
}

async function runWorker() {
  const app = await handoff();
  const answer = (_request, response) => {
    response.setHeader('x-served-by', process.pid);
    response.end(`hello from worker ${process.pid} of ${process.ppid}\n`);
  };
  await app.listen(http.createServer(answer), { name: 'web', port: Number(PORT) });
  if (SOCKET !== undefined) await app.listen(http.createServer(answer), { name: 'local', path: SOCKET });
  app.onClose(() => tell('worker-gone'));
  await app.ready();
  tell('worker-ready');
}

await (cluster.isPrimary ? runPrimary() : runWorker());
