// Takes HAProxy's listener over, as the documentation has it.
import http from 'node:http';
import { handoff } from 'fd-handoff';
import { takeFromHaproxy } from 'fd-handoff/haproxy';

const { BEHAVIOUR, CONTROL, PORT, STATS } = process.env;
const tell = (event, details = {}) => console.log(JSON.stringify({ event, pid: process.pid, ...details }));

const haproxy = await takeFromHaproxy(STATS);
tell('taken', { from: haproxy?.pid ?? null, sockets: haproxy?.sockets.length ?? 0 });
if (BEHAVIOUR === 'fail') throw new Error('thrown before ready');
const server = http.createServer((_request, response) => {
  response.setHeader('x-served-by', process.pid);
  response.end(`hello from ${process.pid}\n`);
});
const app = await handoff({ control: CONTROL, inherit: haproxy?.sockets ?? [] });
const listening = await app.listen(server, { port: Number(PORT), host: '127.0.0.1' });
await app.ready();
haproxy?.leave();
tell('ready', { generation: app.generation, listening });
