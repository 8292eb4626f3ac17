// A server that writes all the time: numbered lines, each with the generation that has written it. Where to, and what it does
// besides, comes from the environment; what happens is told in a file of its own, a JSON object a line.
import cluster from 'node:cluster';
import { appendFileSync, existsSync, openSync, writeSync } from 'node:fs';
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { handoff, signalPresets } from 'fd-handoff';

const { CONTROL, LOG, TOLD, PID_FILE, MANNER = 'reopen', WAIT_BEFORE, WAIT_BEFORE_READY, WORKERS } = process.env;

function tell(event, details = {}) {
  appendFileSync(TOLD, `${JSON.stringify({ event, pid: process.pid, ...details })}\n`);
}

async function waitFor(file) {
  tell('waiting', { file });
  while (file !== undefined && existsSync(file)) await delay(5);
}

if (WAIT_BEFORE !== undefined && existsSync(WAIT_BEFORE)) await waitFor(WAIT_BEFORE);

const signals = { ...signalPresets.default, SIGUSR1: 'reopen', SIGUSR2: 'reexec', SIGTTIN: 'keep' };
const app = await handoff(cluster.isPrimary ? { control: CONTROL, pidFile: PID_FILE, signals } : { signals: {} });
app.on('error', ({ code, message }) => tell('error', { code, message }));
app.on('reopen', ({ signal }) => tell('reopen', { signal }));

const manners = { reopen: { reopen: true }, stdio: { reopen: true, stdio: true }, truncated: {} };
const fd = await app.descriptor('log', () => openSync(LOG, 'a'), manners[MANNER]);

const writer = cluster.isPrimary ? `${app.generation}` : `${app.generation}-${process.pid}`;
let written = 0;
function writeLine() {
  const line = `${writer} ${written}`;
  if (MANNER !== 'stdio') writeSync(fd, `${line}\n`);
  else if (written % 10 === 0) console.error(line);
  else console.log(line);
  written++;
}
const writing = setInterval(() => {
  for (let count = 0; count < 3; count++) writeLine();
}, 1);

app.onClose(() => {
  clearInterval(writing);
  tell('written', { writer, written });
});
const server = http.createServer((request, response) => {
  // Held until its body has come.
  request.resume().on('end', () => response.end('done'));
});
if (WORKERS !== undefined && cluster.isPrimary) {
  await app.hold({ name: 'web', port: 0, host: '127.0.0.1' });
  await app.workers({ count: Number(WORKERS) });
} else {
  const { port } = await app.listen(server, { name: 'web', port: 0, host: '127.0.0.1' });
  tell('listening', { port });
}
if (WAIT_BEFORE_READY !== undefined && existsSync(WAIT_BEFORE_READY)) {
  tell('warming-up', { generation: app.generation, fd });
  await waitFor(WAIT_BEFORE_READY);
}
await app.ready();
tell('ready', { generation: app.generation, fd, worker: cluster.isWorker });
