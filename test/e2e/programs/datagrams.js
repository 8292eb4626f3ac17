// The receiver of datagrams that the end-to-end tests replace. What it binds comes from the environment, so that a test can
// give its successor something else; what happens inside is told on standard output, a JSON object a line. A datagram that
// begins with "!" is an order.
import dgram from 'node:dgram';
import { once } from 'node:events';
import { handoff } from 'fd-handoff';

const { BEHAVIOUR = 'serve', CONTROL, OPTIONS = '{}', SOCKETS = '[{"port":0}]' } = process.env;

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

function asJson({ code, message }) {
  return { code, message };
}

const app = await handoff({ ...(CONTROL === undefined ? {} : { control: CONTROL }), ...JSON.parse(OPTIONS) });
for (const name of ['commit', 'rollback', 'give-back', 'drain']) app.on(name, () => tell(name));

const orders = {
  '!close': (socket) => socket.close(),
  '!upgrade': () => app.upgrade().catch((error) => tell('upgrade-failed', asJson(error))),
  '!reexec': () => app.reexec().catch((error) => tell('reexec-failed', asJson(error))),
  '!broadcast': (socket) =>
    socket.send('to all', 9, '127.255.255.255', (error) => tell('broadcast', { code: error?.code ?? null })),
  '!answer': (socket, sender) => socket.send(`from ${process.pid}`, sender.port, sender.address),
  '!connect': (socket, sender) =>
    socket.connect(sender.port, sender.address, () => tell('connected', { peer: socket.remoteAddress() })),
  '!owe': (socket, { port, address }) => {
    app.on('commit', () => socket.send(`at commit: ${process.pid}`, port, address));
    app.onClose(() => new Promise((sent) => socket.send(`at last: ${process.pid}`, port, address, sent)));
  },
  '!linger': (socket) => app.onClose(() => once(socket, 'message')),
  '!late': async () => tell('late', await bind({ port: 0, address: '127.0.0.1', name: 'late' })),
  '!say': (socket) => socket.send(`said by ${process.pid}`),
};

async function bind({ type = 'udp4', groups = [], broadcast = false, recvBufferSize, ...options }) {
  const socket = dgram.createSocket({ type, ...(recvBufferSize === undefined ? {} : { recvBufferSize }) });
  const where = await app.bind(socket, options);
  socket.on('message', (message, sender) => {
    const text = message.toString();
    tell('message', { name: where.name, text, generation: app.generation });
    orders[text]?.(socket, sender);
  });
  socket.on('error', (error) => tell('socket-error', asJson(error)));
  socket.on('close', () => tell('closed', { name: where.name }));
  if (!where.inherited) {
    for (const group of groups) socket.addMembership(group, '127.0.0.1');
    if (broadcast) socket.setBroadcast(true);
  }
  return { ...where, recvBufferSize: socket.getRecvBufferSize() };
}

const bound = [];
for (const options of JSON.parse(SOCKETS)) bound.push(await bind(options));
if (BEHAVIOUR === 'never-saves') {
  await app.state('never', { late: true, save: () => new Promise(() => {}), restore: () => {} });
}
if (BEHAVIOUR === 'exit') process.exit(3);
tell('bound', { bound, generation: app.generation });
if (BEHAVIOUR === 'hang') await new Promise(() => setInterval(() => {}, 1000));
try {
  await app.ready();
} catch (error) {
  tell('failed', asJson(error));
  process.exit(5);
}
tell('ready', { bound, generation: app.generation });
