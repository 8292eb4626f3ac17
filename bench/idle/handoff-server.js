// The same server with the library. With a CONTROL on which another one serves it has that one's listener.
import http from 'node:http';
import { handoff } from 'fd-handoff';
import { serve } from './serve.js';

const server = http.createServer((_request, response) => response.end('hello\n'));
// SIGUSR2 is for serve.js.
const app = await handoff({ control: process.env.CONTROL, signals: { SIGHUP: 'upgrade', SIGTERM: 'shutdown' } });
const { port } = await app.listen(server, { port: 0, host: '127.0.0.1' });
await app.ready();
serve(port);
