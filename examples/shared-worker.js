// One of several processes that serve beside an owner, on the same listener: started separately, by whatever starts
// processes. The owner is any program with the same control path, http-server.js for one; where none runs, the first of
// these that is started becomes it.
//
//   node examples/http-server.js &            the owner, on PORT (8080) with the control socket CONTROL (./app.sock)
//   node examples/shared-worker.js &          one that shares with it
//   kill <pid>                                finishes what it has, and leaves
//
// rolling-upgrade.js keeps several of them, and replaces them one by one.
import http from 'node:http';
import { handoff } from 'fd-handoff';

const server = http.createServer((_request, response) => {
  response.setHeader('x-served-by', process.pid);
  response.end(`hello from ${process.pid}\n`);
});

// Its signals: to replace a sharer is the affair of whoever has started it.
const signals = { SIGTERM: 'shutdown', SIGINT: 'shutdown' };
const app = await handoff({ control: process.env.CONTROL ?? './app.sock', share: true, signals });
await app.listen(server, { name: 'web', port: Number(process.env.PORT ?? 8080) });
await app.ready();
console.log(JSON.stringify({ event: 'ready', pid: process.pid, owner: app.predecessor?.pid ?? process.pid }));
