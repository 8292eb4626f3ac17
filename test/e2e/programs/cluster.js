// A cluster of a primary and its workers. What it does comes from the environment, and what happens is told on standard
// output, a JSON object a line. Workers do not start while the file FAIL is there.
import cluster from 'node:cluster';
import { existsSync } from 'node:fs';
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { handoff } from 'fd-handoff';

const { ADDRESS = '{"port":0}', CONTROL, COUNT = '2', FAIL, OPTIONS = '{}', PLAIN, WORKER_ADDRESS } = process.env;

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

function tellFailure(event, { code, message, stderr }) {
  tell(event, { code, message, stderr });
}

async function runPrimary() {
  if (PLAIN !== undefined) {
    cluster.fork().on('exit', () => process.exit());
    return;
  }
  let pool;
  const app = await handoff({
    control: CONTROL,
    signals: {
      SIGHUP: 'upgrade',
      SIGTERM: 'shutdown',
      SIGINT: 'shutdown',
      SIGTTIN: 'pause',
      SIGUSR2: () =>
        pool.roll().then(
          () => tell('rolled', { workers: pool.pids }),
          (error) => tellFailure('not-rolled', error),
        ),
      SIGWINCH: () => app.reexec().catch((error) => tellFailure('reexec-failed', error)),
    },
    ...JSON.parse(OPTIONS),
  });
  for (const name of ['commit', 'drain', 'give-back', 'pause', 'resume', 'rollback'])
    app.on(name, (details) => tell(name, details));
  app.on('error', (error) => tellFailure('error', error));
  const { port } = await app.hold({ name: 'web', ...JSON.parse(ADDRESS) });
  try {
    pool = await app.workers({ count: Number(COUNT) });
  } catch (error) {
    tellFailure('no-workers', error);
    process.exit(4);
  }
  await app.ready();
  tell('ready', { generation: app.generation, addresses: [{ port }], workers: pool.pids });
}

async function runWorker() {
  if (FAIL !== undefined && existsSync(FAIL)) throw new Error('the worker cannot start');
  const app = await handoff(JSON.parse(OPTIONS));
  const server = http.createServer({ keepAliveTimeout: 20_000 }, async (request, response) => {
    response.setHeader('x-served-by', process.pid);
    const wait = Number(new URL(request.url, 'http://host').searchParams.get('wait') ?? 0);
    if (wait > 0) {
      tell('began');
      await delay(wait);
    }
    response.end(`hello from worker ${process.pid}\n`);
  });
  app.draining.addEventListener('abort', () => tell('worker-draining'));
  app.onClose(() => tell('worker-gone'));
  await app.listen(server, { name: 'web', ...JSON.parse(WORKER_ADDRESS ?? ADDRESS) });
  await app.ready();
  const { code } = await app.upgrade().catch((error) => error);
  tell('worker-ready', { generation: app.generation, predecessor: app.predecessor, upgrade: code });
}

await (cluster.isPrimary ? runPrimary() : runWorker());
