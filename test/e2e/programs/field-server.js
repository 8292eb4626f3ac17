// A server whose clients are never idle, or have long answers: what nobody has in a laboratory. What happens is told on
// standard output, a JSON object a line; on standard error it talks as programs do, whether anybody reads it or not.
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { handoff } from 'fd-handoff';

const { CONNECTIONS = 'move', CONTROL, OPTIONS = '{}' } = process.env;

const tell = (event, details = {}) => console.log(JSON.stringify({ event, pid: process.pid, ...details }));

/** As long as a message is awaited at most, in milliseconds: the answer comes out of a timer, and is the same either way. */
const longestPoll = 2_800;

const routes = {
  '/poll': async (response) => {
    await delay(longestPoll - 1_500 * Math.random());
    response.end('x');
  },
  '/events': async (response, { seconds }) => {
    response.setHeader('content-type', 'text/event-stream');
    for (let number = 1; number <= seconds * 5; number++) {
      response.write(`id: ${number}\ndata: tick\n\n`);
      await delay(200);
    }
    response.end('event: over\ndata: \n\n');
  },
  '/download': async (response, { seconds }) => {
    const pieces = seconds * 10;
    response.setHeader('content-length', pieces * 16_384);
    for (let number = 0; number < pieces; number++) {
      response.write(Buffer.alloc(16_384, number % 251));
      await delay(100);
    }
    response.end();
  },
};

const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://host');
  response.setHeader('x-served-by', process.pid);
  const route = routes[pathname];
  if (route === undefined) response.end('hello\n');
  else void route(response, { seconds: Number(searchParams.get('seconds')) });
});

const app = await handoff({ control: CONTROL, ...JSON.parse(OPTIONS) });
process.emitWarning(`generation ${app.generation} says something that nobody reads`);
const { port } = await app.listen(server, { port: 0, host: '127.0.0.1', connections: CONNECTIONS });
app.on('drain', (report) => tell('drain', report));
app.on('error', ({ code, message }) => tell('error', { code, message }));
await app.ready();
tell('ready', { generation: app.generation, addresses: [{ port }] });
