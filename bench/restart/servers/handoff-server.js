// A server that fd-handoff replaces: by SIGHUP, by starting it again on the same CONTROL, or in place by SIGUSR2.
import http from 'node:http';
import { handoff } from 'fd-handoff';

const server = http.createServer((_request, response) => response.end('hello\n'));
const app = await handoff({
  control: process.env.CONTROL,
  signals: { SIGHUP: 'upgrade', SIGUSR2: 'reexec', SIGTERM: 'shutdown' },
});
const { port } = await app.listen(server, { port: Number(process.env.PORT), host: '127.0.0.1' });
app.onClose(() => console.log(`gone pid=${process.pid}`));
await app.ready();
console.log(`ready pid=${process.pid} port=${port}`);
