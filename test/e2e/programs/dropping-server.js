// A server that is started as root and becomes another user, as one does that has bound a port below 1024. What it is comes
// from the environment: USER_ID whom it becomes, DROP when (before or after ready()), NAMED whether
// handoff() is told so, PORTS where it listens, SOCKET a socket file besides.
import http from 'node:http';
import { handoff } from 'fd-handoff';

const { CONTROL, DROP = 'after', NAMED = 'yes', PID_FILE, PORTS = '0', SOCKET, USER_ID } = process.env;
const id = Number(USER_ID);

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

function drop(moment) {
  if (moment !== DROP || process.geteuid() !== 0) return;
  process.setgroups([]);
  process.setgid(id);
  process.setuid(id);
}

process.on('warning', ({ code, message }) => tell('warned', { code, message }));
const app = await handoff({
  control: CONTROL,
  ...(NAMED === 'yes' ? { user: { uid: id, gid: id } } : {}),
  ...(PID_FILE === undefined ? {} : { pidFile: PID_FILE }),
});
for (const name of ['error', 'rollback']) {
  app.on(name, (details) => {
    const { code, message } = details.error ?? details;
    tell(name, { code, message });
  });
}
const addresses = [];
for (const port of PORTS.split(',').map(Number)) {
  const server = http.createServer((_request, response) => {
    response.setHeader('x-served-by', process.pid);
    response.end(`${process.getuid()}\n`);
  });
  addresses.push(await app.listen(server, { name: `web-${addresses.length}`, port, host: '127.0.0.1' }));
}
if (SOCKET !== undefined) {
  const server = http.createServer((_request, response) => {
    response.setHeader('x-served-by', process.pid);
    response.end(`${process.getuid()}\n`);
  });
  await app.listen(server, { name: 'local', path: SOCKET });
}
drop('before');
await app.ready();
drop('after');
process.on('SIGUSR1', () => app.reexec().catch(({ code, message }) => tell('reexec-failed', { code, message })));
tell('ready', { generation: app.generation, uid: process.geteuid(), addresses });
