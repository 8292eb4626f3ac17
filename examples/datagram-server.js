// A counter of datagrams that loses none when it is replaced. It takes "<name>:<number>|c", as statsd does.
//
//   node examples/datagram-server.js              starts it: UDP on PORT (8125), its counts over HTTP on COUNTS_PORT (8126)
//   echo -n 'visits:1|c' > /dev/udp/127.0.0.1/8125
//   curl 127.0.0.1:8126
//   kill -HUP <pid>                               replaces it by the version that is on the disk now
//   kill -USR2 <pid>                              the same, in place: the pid stays
//
import dgram from 'node:dgram';
import http from 'node:http';
import { handoff } from 'fd-handoff';

let datagrams = 0;
const counters = new Map();

function add(name, value) {
  counters.set(name, (counters.get(name) ?? 0) + value);
}

// What comes while nobody receives waits in this buffer: 4 MiB are some 5,000 small datagrams, if the system allows them
// (Linux: sysctl net.core.rmem_max).
const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
socket.on('message', (message) => {
  datagrams++;
  for (const line of message.toString().split('\n')) {
    const [, name, value] = /^([^:]+):(-?\d+(?:\.\d+)?)\|c$/.exec(line) ?? [];
    if (name !== undefined) add(name, Number(value));
  }
});

const server = http.createServer((_request, response) => {
  response.setHeader('content-type', 'application/json');
  response.setHeader('x-served-by', process.pid);
  response.end(JSON.stringify({ datagrams, counters: Object.fromEntries(counters) }));
});

const app = await handoff({
  control: process.env.CONTROL ?? './app.sock',
  signals: { SIGHUP: 'upgrade', SIGUSR2: 'reexec', SIGTERM: 'shutdown', SIGINT: 'shutdown' },
});
const { port } = await app.bind(socket, { name: 'metrics', port: Number(process.env.PORT ?? 8125) });
const { port: countsPort } = await app.listen(server, {
  name: 'counts',
  host: '127.0.0.1',
  port: Number(process.env.COUNTS_PORT ?? 8126),
});
// Late: it is saved when this process receives nothing more, so that all that it has counted is in it. The successor has
// received for a moment by then, so that it adds what it gets and does not begin with it.
await app.state('counts', {
  late: true,
  save: () => ({ datagrams, counters: [...counters] }),
  restore: (saved) => {
    datagrams += saved.datagrams;
    for (const [name, value] of saved.counters) add(name, value);
  },
});
await app.ready();

const bufferSize = socket.getRecvBufferSize();
console.log(
  JSON.stringify({ event: 'ready', pid: process.pid, generation: app.generation, port, countsPort, bufferSize }),
);
