// A server whose next versions do not register what the first has: each in the way that CLAIMS names.
import dgram from 'node:dgram';
import { rmSync } from 'node:fs';
import http from 'node:http';
import { handoff } from 'fd-handoff';

const { CONTROL, CLAIMS = 'nothing', FIRST = 'web', OPTIONS = '{}' } = process.env;

const tell = (event, details = {}) => console.log(JSON.stringify({ event, pid: process.pid, ...details }));
const server = http.createServer((_request, response) => {
  response.setHeader('x-served-by', process.pid);
  response.end();
});

const app = await handoff({ ...(CONTROL === undefined ? {} : { control: CONTROL }), ...JSON.parse(OPTIONS) });
app.on('error', ({ code, message }) => tell('failure', { code, message }));
app.on('rollback', ({ error: { code, message } }) => tell('rollback', { code, message }));
// As a framework does that keeps what fails to itself.
server.on('error', ({ code }) => tell('listen-failed', { code }));

const kinds = {
  web: () => app.listen(server, { name: 'web', host: '127.0.0.1', port: 0 }),
  path: () => app.listen(server, { name: 'path', path: process.env.SOCKET }),
  udp: () => app.bind(dgram.createSocket('udp4'), { name: 'udp', address: '127.0.0.1', port: 0 }),
  log: () => app.descriptor('log', async () => (await import('node:fs')).openSync('/dev/null', 'a')),
};

/** What the first version has, and so each next one that is none of the ways below. */
const register = async (names) => {
  for (const name of names.split(':')) tell('registered', { name, ...(await kinds[name]()) });
};

const ways = {
  nothing: () => server.listen(app.inherited.find(({ name }) => name === 'web')?.port ?? 0, '127.0.0.1'),
  // A framework that removes a socket file which it believes to be stale.
  'own path': async () => {
    await register('udp');
    rmSync(process.env.SOCKET);
    await new Promise((resolve) => server.listen(process.env.SOCKET, resolve));
  },
  held: () => app.hold({ name: 'web' }),
  number: () => app.descriptor('web', () => Promise.reject(new Error('it was not offered'))),
};

if (app.generation === 0) await register(FIRST);
else if (CLAIMS in ways) await ways[CLAIMS]();
else await register(CLAIMS);
if (process.env.SURVIVES === undefined) await app.ready();
else await app.ready().catch(({ code }) => tell('refused', { code }));
setInterval(() => {}, 60_000);
tell('ready', { generation: app.generation });
