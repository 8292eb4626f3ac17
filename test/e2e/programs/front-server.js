// An HTTP server behind a proxy that says by the PROXY protocol who its client is. Something reads that before HTTP does:
// what is named by READER, a package of npm or a listener of this file. With HOOKS what is known goes along.
import http from 'node:http';
import { createRequire } from 'node:module';
import { handoff } from 'fd-handoff';

const { CONTROL, HOOKS, PACKAGES, PORT = '0', READER = 'readable', RESTORE = 'restores' } = process.env;
const load = PACKAGES === undefined ? null : createRequire(PACKAGES);

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

/** Who the client of a connection is; where nobody has said it, nobody. */
function clientOf({ client }) {
  return client ?? 'unknown';
}

function answer(request, response) {
  const { socket } = request;
  response.setHeader('x-served-by', process.pid);
  if (request.url === '/close') {
    // Idle by then, as Node sees it.
    response.on('close', () => server.close(() => tell('closed')));
  }
  response.end(
    `hello from ${READER === 'proxywrap' ? `${socket.remoteAddress}:${socket.remotePort}` : clientOf(socket)}\n`,
  );
}

/** Has `read` take who it is from the first bytes of each connection, and HTTP read the rest. */
function behind(read) {
  const server = http.createServer(answer);
  const own = server.listeners('connection');
  return server.removeAllListeners('connection').on('connection', (socket) => {
    socket.once('readable', () => {
      const bytes = socket.read();
      const { client, length } = (bytes && read(bytes)) ?? {};
      // As strict ones do: whoever does not say who they are is nobody's client.
      if (client === undefined) return socket.destroy();
      socket.client = client;
      socket.unshift(bytes.subarray(length));
      for (const listener of own) listener.call(server, socket);
    });
  });
}

const readers = {
  readable: () =>
    behind((bytes) => {
      const [line, address, port] = /^PROXY TCP4 (\S+) \S+ (\d+) \d+\r\n/.exec(bytes.toString('latin1')) ?? [];
      return line && { client: `${address}:${port}`, length: line.length };
    }),
  'proxy-protocol-js': () => {
    const { V2ProxyProtocol } = load('proxy-protocol-js');
    return behind((bytes) => {
      const { proxyAddress } = V2ProxyProtocol.parse(bytes);
      const client = `${[...proxyAddress.sourceAddress.address].join('.')}:${proxyAddress.sourcePort}`;
      return { client, length: 16 + bytes.readUInt16BE(14) };
    });
  },
  proxywrap: () => load('findhit-proxywrap').proxy(http).createServer(answer),
};

const memory = {
  save: ({ client, remoteAddress, remotePort }) => ({ client: client ?? null, remoteAddress, remotePort }),
  restore(socket, { client, remoteAddress, remotePort }) {
    if (RESTORE === 'throws') throw new Error('it is nobody');
    if (client !== null) socket.client = client;
    Object.defineProperties(socket, { remoteAddress: { value: remoteAddress }, remotePort: { value: remotePort } });
  },
};

process.on('warning', ({ code, message }) => tell('warned', { code, message }));
const app = await handoff(CONTROL === undefined ? {} : { control: CONTROL });
app.on('drain', (report) => tell('drain', report));
app.on('error', ({ code, message }) => tell('error', { code, message }));
const server = readers[READER]();
const { port } = await app.listen(server, {
  port: Number(PORT),
  host: '127.0.0.1',
  ...(HOOKS === undefined ? {} : { connections: HOOKS === 'drain' ? 'drain' : memory }),
});
await app.ready();
process.on('SIGUSR1', () => app.reexec().catch(({ code, message }) => tell('reexec-failed', { code, message })));
const { generation } = app;
tell('ready', { generation, addresses: [{ port }] });
