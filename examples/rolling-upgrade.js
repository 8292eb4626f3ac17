// Keeps COUNT (2) shared workers, and replaces them one by one: it starts a new one, waits for its ready line, ends the
// old one by SIGTERM, waits until that is gone, and goes on to the next. If a new one fails the old ones serve on.
//
//   node examples/http-server.js &            the owner of the listener
//   node examples/rolling-upgrade.js &        two that share with it
//   kill -HUP <pid>                           replaces those two by the version that is on the disk now
//   kill <pid>                                ends them
//
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('shared-worker.js', import.meta.url));

/** As long as the slowest start that is still a start. */
const readyTimeout = 60_000;

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

async function start() {
  const worker = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: worker.stdout });
  // All of its output is this process's; the first line is that it is ready.
  lines.on('line', (line) => console.log(line));
  const given = new AbortController();
  try {
    await Promise.race([
      once(lines, 'line', { signal: given.signal }),
      once(worker, 'exit', { signal: given.signal }).then(([code]) => {
        throw new Error(`worker ${worker.pid} exited with code ${code} before it was ready`);
      }),
      delay(readyTimeout, undefined, { signal: given.signal }).then(() => {
        throw new Error(`worker ${worker.pid} was not ready within ${readyTimeout} ms`);
      }),
    ]);
    return worker;
  } catch (error) {
    worker.kill('SIGKILL');
    throw error;
  } finally {
    given.abort();
  }
}

/** Ends a worker; there is no hurry, and its own `drainTimeout` sees to it that this does not take for ever. */
async function end(worker) {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const exited = once(worker, 'exit');
  worker.kill('SIGTERM');
  await exited;
}

const workers = [];
for (let count = Number(process.env.COUNT ?? 2); count > 0; count--) workers.push(await start());
tell('started', { workers: workers.map(({ pid }) => pid) });

/** What is to be done next waits for what is being done. */
let done = Promise.resolve();
function next(work) {
  done = done.then(work).catch(({ message }) => tell('failed', { message, workers: workers.map(({ pid }) => pid) }));
}

async function roll() {
  for (const [place, before] of workers.entries()) {
    workers[place] = await start();
    await end(before);
  }
  tell('rolled', { workers: workers.map(({ pid }) => pid) });
}

process.on('SIGHUP', () => next(roll));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => next(() => Promise.all(workers.map(end))));
