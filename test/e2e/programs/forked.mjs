// A server that was written for fork() or PM2: it speaks to its parent unguarded, and has helpers that outlive an exec.
import { spawn } from 'node:child_process';
import http from 'node:http';
import { handoff } from 'fd-handoff';

const helpers = [];
process.on('message', (message) => {
  if (message?.number !== undefined) process.send({ heard: message.number, length: message.text.length });
  if (message?.order === 'help') {
    helpers.push(spawn('sleep', ['600'], { stdio: 'ignore' }).pid);
    process.send({ helper: helpers.at(-1) });
  }
});

const server = http.createServer((_request, response) => response.setHeader('x-served-by', process.pid).end('served'));
const app = await handoff({
  control: process.env.CONTROL,
  signals: { SIGHUP: 'reexec', SIGUSR2: 'upgrade', SIGTERM: 'shutdown', SIGINT: 'shutdown' },
});
app.on('rollback', ({ error }) => tell('rollback', { code: error.code, message: error.message }));
const { port } = await app.listen(server, { name: 'web', port: 0, host: '127.0.0.1' });
await app.ready();
process.send('ready');
process.send({ ready: app.generation, pid: process.pid, port });
tell('ready', { generation: app.generation, port, connected: process.connected ?? null });

function tell(event, details) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}
