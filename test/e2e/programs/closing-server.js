// A server that is stopped in the way that is named by STOP, as its own application would, by SIGUSR2.
import http from 'node:http';
import { createRequire } from 'node:module';
import { handoff } from 'fd-handoff';

const { CONTROL, PACKAGES, STOP } = process.env;
const load = createRequire(PACKAGES);

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

function answer(_request, response) {
  response.setHeader('x-served-by', process.pid);
  response.end('answer');
}

/** A server, and what its application does to stop it. */
async function make() {
  const keepAliveTimeout = 600_000;
  if (STOP === 'fastify') {
    const { default: fastify } = await import('fastify');
    const application = fastify({ keepAliveTimeout });
    application.get('/', (_request, reply) => reply.header('x-served-by', process.pid).send('answer'));
    await application.ready();
    return { server: application.server, stop: () => application.close() };
  }
  if (STOP === 'express') {
    const { default: express } = await import('express');
    const server = http.createServer({ keepAliveTimeout }, express().set('trust proxy', true).use(answer));
    return { server, stop: () => new Promise((resolve) => server.close(resolve)) };
  }
  const server = http.createServer({ keepAliveTimeout }, answer);
  if (STOP === 'stoppable') {
    const stoppable = load('stoppable')(server);
    return { server, stop: () => new Promise((resolve) => stoppable.stop(resolve)) };
  }
  if (STOP === 'http-terminator') {
    const terminator = load('http-terminator').createHttpTerminator({ server });
    return { server, stop: () => terminator.terminate() };
  }
  return {
    server,
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server[STOP]?.();
      }),
  };
}

const { server, stop } = await make();
const app = await handoff({ control: CONTROL });
const { port } = await app.listen(server, { port: 0, host: '127.0.0.1' });
app.on('drain', (report) => tell('drain', report));
app.on('error', ({ message }) => tell('error', { message }));
await app.ready();
process.on('SIGUSR2', async () => {
  await stop();
  tell('stopped');
});
// No listener is left after that; the process goes on until the test ends it.
setInterval(() => {}, 60_000);
const { generation } = app;
tell('ready', { generation, addresses: [{ port }] });
