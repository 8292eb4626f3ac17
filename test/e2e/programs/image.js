// A process that replaces its own image by what IMAGE says when SIGUSR1 comes. It holds descriptors that are to survive,
// and others that are nobody else's affair.
import { openSync } from 'node:fs';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { handoff } from 'fd-handoff';

const { CONTROL, IMAGE = '{}', LONG_ARGUMENT = '0', OUTPUT = '0' } = process.env;
const file = fileURLToPath(import.meta.url);

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

async function reexec(app) {
  process.stdout.write('.'.repeat(Number(OUTPUT)));
  // By another way than standard output, which may be full.
  process.stderr.write('written\n');
  const args = LONG_ARGUMENT === '0' ? {} : { args: ['x'.repeat(Number(LONG_ARGUMENT))] };
  await app.reexec({ ...args, ...JSON.parse(IMAGE) }).catch(({ code, message, cause }) => {
    tell('failed', { code, message, cause: cause?.code });
  });
}

if (!isMainThread) {
  const app = await handoff({ signals: false });
  await app.ready();
  await app.reexec().catch(({ code, message }) => parentPort.postMessage({ code, message }));
} else {
  const app = await handoff({ control: CONTROL, signals: { SIGUSR1: reexec, SIGTERM: 'shutdown' } });
  const { port } = await app.listen(
    http.createServer((_, response) => response.end()),
    { port: 0 },
  );
  await app.descriptor('log', () => openSync(file, 'r'));
  openSync('/etc/hostname', 'r');
  http.createServer().listen(0);
  if (process.env.THREAD !== undefined) new Worker(file).on('message', (failure) => tell('refused', failure));
  await app.ready();
  tell('ready', { generation: app.generation, addresses: [{ port }] });
}
