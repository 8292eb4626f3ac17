// A server whose idle connections are moved, and that tells when what happened, on the clock that all processes share.
import http from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { handoff } from 'fd-handoff';

/** How finely the event loop is watched, in milliseconds: what is measured includes it. */
const resolution = 1;

const server = http.createServer((_request, response) => response.end('hello\n'));
// None of them is to be closed for its age.
server.keepAliveTimeout = 0;

const app = await handoff({ control: process.env.CONTROL, signals: { SIGHUP: 'upgrade', SIGTERM: 'shutdown' } });
const { port } = await app.listen(server, { port: Number(process.env.PORT), host: '127.0.0.1', backlog: 4096 });

const loop = monitorEventLoopDelay({ resolution });
const blocked = () => Math.max(0, loop.max / 1e6 - resolution);
const tell = (event, more) =>
  console.log(JSON.stringify({ event, pid: process.pid, at: Number(process.hrtime.bigint()) / 1e6, ...more }));

function memory() {
  // What is garbage already belongs to nobody's connection.
  globalThis.gc();
  return process.memoryUsage().rss;
}

let before = 0;
process.on('SIGUSR2', async () => {
  before = memory();
  // The collection was asked for here, and held the loop up for longer than anything that is measured.
  await delay(2 * resolution);
  loop.reset();
  tell('watching', { memory: before });
});
app.on('commit', () => tell('commit'));
app.on('drain', ({ moved, duration }) => tell('moved', { moved, duration, blocked: blocked() }));
app.onClose(() => tell('gone'));
process.on('SIGUSR1', async () => {
  loop.disable();
  // Two turns of the collector: the first finds what finalizers let go of.
  memory();
  await delay(50);
  tell('settled', { blocked: blocked(), memory: memory() - before });
});

await app.ready();
before = memory();
loop.enable();
tell('ready', { port });
