// A server that knows nothing of the library, as one in any language: it serves on the descriptors that it is given, and
// says on standard output what comes to it. `BEHAVIOUR` says when it is ready, or what it fails by.
import { execFileSync } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const { BEHAVIOUR = 'ready-fd', READY_NUMBER, SLOW_STOP, ...environment } = process.env;
const variables = ['LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PID', 'NGINX', 'SERVER_STARTER_PORT', 'FD_HANDOFF_READY_FD'];

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

tell('program', Object.fromEntries(variables.map((name) => [name, environment[name]])));
if (BEHAVIOUR === 'exit') process.exit(3);
if (BEHAVIOUR === 'exit-in-order') process.exit(0);
for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH']) process.on(signal, () => tell('signal', { signal }));
for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT']) process.on(signal, () => void stop(signal));
if (BEHAVIOUR === 'hang') {
  setInterval(() => {}, 1000);
  tell('hanging');
  await new Promise(() => {});
}

const server = http.createServer(async (request, response) => {
  response.setHeader('x-served-by', process.pid);
  // What every server should do that cannot hand its connections over: the client knows which request is the last.
  response.setHeader('connection', 'close');
  const { pathname, searchParams } = new URL(request.url, 'http://host');
  if (pathname === '/unhealthy') response.statusCode = 503;
  if (searchParams.has('wait')) {
    tell('began', { url: request.url });
    await delay(Number(searchParams.get('wait')));
  }
  response.end(`hello from ${process.pid}\n`);
});

async function stop(signal) {
  tell('stopping', { signal });
  if (SLOW_STOP !== undefined) return;
  if (BEHAVIOUR === 'hang') process.exit(0);
  // close() of http would cut off connections that it takes for idle.
  net.Server.prototype.close.call(server, () => process.exit(signal === 'SIGTERM' ? 0 : 9));
}

if (BEHAVIOUR === 'late') await delay(1_000);
const listening = new Promise((resolve) => {
  server.listen({ fd: 3 }, resolve);
});
await listening;
if (BEHAVIOUR === 'ready-fd') {
  const ready = Number(READY_NUMBER ?? environment.FD_HANDOFF_READY_FD);
  writeSync(ready, '\n');
  closeSync(ready);
}
if (BEHAVIOUR === 'notify') execFileSync('systemd-notify', ['--ready', '--status=Up']);
tell('serving', { address: server.address() });
