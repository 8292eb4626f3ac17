// Event streams (server-sent events) that survive deploys: each ends with a word of its own, and its client comes back to the
// version that serves, from the event after the last that it has seen.
//
//   node examples/event-stream-server.js      starts it, on PORT (8080), CONTROL (./events.sock)
//   curl -N http://localhost:8080/events      shows the stream
//   kill -HUP <pid>                           replaces it by the version that is on the disk now
//
import http from 'node:http';
import { handoff } from 'fd-handoff';

/** How soon a client is to come back, in milliseconds; each gets another time, so that they do not come all at once. */
const soonest = 100;
const latest = Number(process.env.LATEST ?? 3_000);

const streams = new Set();

function begin(request, response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  // What an EventSource sends by itself when it comes back. Without a place of its own it begins with what is now.
  let next = Number(request.headers['last-event-id'] ?? Date.now()) + 1;
  const timer = setInterval(() => {
    for (; next <= Date.now(); next += 50) response.write(`id: ${next}\ndata: ${process.pid}\n\n`);
  }, 50);
  const stream = {
    end() {
      clearInterval(timer);
      response.end(`retry: ${Math.round(soonest + Math.random() * (latest - soonest))}\n\n`);
    },
  };
  streams.add(stream);
  response.once('close', () => {
    clearInterval(timer);
    streams.delete(stream);
  });
}

const app = await handoff({ control: process.env.CONTROL ?? './events.sock' });
const server = http.createServer((request, response) => {
  if (request.url === '/events') return begin(request, response);
  response.end(`${process.pid}\n`);
});

// The head is sent long ago, so that HTTP has no word left for "come again elsewhere": the stream's own end is that word. At a
// shutdown, too: an EventSource tries again until somebody answers.
app.onDrain(() => {
  for (const stream of streams) stream.end();
});

const { port } = await app.listen(server, { port: Number(process.env.PORT ?? 8080) });
await app.ready();
console.log(`listening pid=${process.pid} port=${port}`);
