// A server that tells on standard output what is published on the channels CHANNELS: which one it was, and the names of
// the fields.
import { subscribe } from 'node:diagnostics_channel';
import http from 'node:http';
import { handoff } from 'fd-handoff';

const { BEHAVIOUR, CHANNELS, CONTROL } = process.env;

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

for (const channel of JSON.parse(CHANNELS)) {
  subscribe(channel, (message) => tell('published', { channel, fields: Object.keys(message) }));
}

async function pauseAndResume(app) {
  await app.pause();
  await app.resume();
}

const app = await handoff({
  control: CONTROL,
  signals: { SIGHUP: 'upgrade', SIGUSR2: 'reopen', SIGCONT: pauseAndResume, SIGTERM: 'shutdown' },
});
app.on('error', () => {});
const health = app.health();
const server = http.createServer(async (request, response) => {
  response.setHeader('x-served-by', process.pid);
  if (request.url === '/healthz') return health(request, response);
  for await (const _ of request);
  if (request.url === '/talk') process.stderr.write('a word\n');
  response.end(`hello from ${process.pid}\n`);
});
const { port } = await app.listen(server, { port: 0, host: '127.0.0.1' });
app.onClose(() => {
  throw new Error('a hook that fails');
});
if (BEHAVIOUR === 'throw') throw new Error('this version does not start');
await app.ready();
tell('ready', { generation: app.generation, port });
if (BEHAVIOUR === 'die') process.kill(process.pid, 'SIGKILL');
