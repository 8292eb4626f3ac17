// A server that another program runs: what it does is told in a file, since its output is somebody else's, or nobody's.
import { appendFileSync } from 'node:fs';
import http from 'node:http';
import { handoff } from 'fd-handoff';

const { LOG, CONTROL, PORT = '0', OPTIONS = '{}' } = process.env;

function tell(event, details = {}) {
  appendFileSync(LOG, `${JSON.stringify({ event, pid: process.pid, ...details })}\n`);
}

// A body that is held back keeps the answer, and whoever drains, waiting.
const server = http.createServer(async (request, response) => {
  response.setHeader('x-served-by', process.pid);
  for await (const _ of request);
  response.end(`hello from ${process.pid}\n`);
});

tell('starting', { parent: process.ppid });
const app = await handoff({ ...(CONTROL === undefined ? {} : { control: CONTROL }), ...JSON.parse(OPTIONS) }).catch(
  ({ code, message }) => {
    tell('refused', { code, message });
    process.exit(1);
  },
);
for (const name of ['commit', 'rollback', 'give-back', 'drain']) app.on(name, (details) => tell(name, details));
app.on('error', ({ code, message }) => tell('error', { code, message }));
app.draining.addEventListener('abort', () => tell('draining'));
app.onSignal('SIGHUP', { after: () => tell('hung-up') });
const { port } = await app.listen(server, { port: Number(PORT), host: '127.0.0.1' });
await app.ready();
tell('ready', { generation: app.generation, port });
