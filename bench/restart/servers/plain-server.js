// A server without fd-handoff, which ends as Node's documentation has it: it closes, and what is idle with it.
//
// It listens on PORT, or on the socket that a service manager has passed (LISTEN_FDS). A worker of PM2 or node:cluster is
// the same server.
import http from 'node:http';

const server = http.createServer((_request, response) => response.end('hello\n'));
const listening =
  process.env.LISTEN_FDS === undefined ? { port: Number(process.env.PORT), host: '127.0.0.1' } : { fd: 3 };
server.listen(listening, () => {
  console.log(`ready pid=${process.pid} port=${server.address().port}`);
  process.send?.('ready');
});

function leave() {
  server.close(() => process.exit());
  // Connections that were busy when it closed stay open afterwards, and would keep it for ever.
  setInterval(() => server.closeIdleConnections(), 100);
}

process.on('exit', () => console.log(`gone pid=${process.pid}`));
process.on('SIGTERM', leave);
process.on('SIGINT', leave);
process.on('message', (message) => {
  if (message === 'shutdown') leave();
});
