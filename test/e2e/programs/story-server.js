// The server of the stories: what an application of that kind would be, told by its environment which restart habits it
// has. What happens is told on standard output, a JSON object a line.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import * as library from 'fd-handoff';

const {
  CONFIGURATION,
  CONTROL,
  FUNCTIONS = '',
  HOOKS = '',
  LISTENERS = '[{"port":0}]',
  OPTIONS = '{}',
  SIGNALS = '"default"',
  VERSION = '1',
} = process.env;

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

const words = (text) => text.split(' ').filter((word) => word !== '');
// Read at every start: a reload picks up what has changed.
const configuration = CONFIGURATION === undefined ? {} : JSON.parse(readFileSync(CONFIGURATION, 'utf8'));
const certificate = JSON.parse(process.env.CERTIFICATE ?? '{}');

const functions = words(FUNCTIONS).map((signal) => [signal, () => tell('function', { signal })]);
const signals = JSON.parse(SIGNALS);
const app = await library.handoff({
  ...(CONTROL === undefined ? {} : { control: CONTROL }),
  signals: functions.length === 0 ? signals : { ...library.signalPresets[signals], ...Object.fromEntries(functions) },
  ...JSON.parse(OPTIONS),
});
for (const signal of words(HOOKS)) {
  app.onSignal(signal, {
    before: () => tell('before-signal', { signal }),
    after: () => tell('after-signal', { signal }),
  });
}
for (const name of ['commit', 'rollback', 'give-back', 'drain', 'reopen']) {
  app.on(name, ({ error, ...details } = {}) => tell(name, { ...details, code: error?.code, message: error?.message }));
}
app.on('error', ({ code, message }) => tell('error', { code, message }));

function createServer({ tls = false }) {
  const { createServer } = tls ? https : http;
  const { limits = {} } = configuration;
  const server = createServer({ ...certificate, ...limits }, async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://host');
    response.setHeader('x-served-by', process.pid);
    if (pathname === '/health') return app.health()(request, response);
    if (pathname === '/hello') return response.end(`Hello from ${process.pid}!`);
    if (pathname === '/version') return response.end(`${VERSION} ${configuration.greeting ?? ''}`.trim());
    if (pathname === '/limits') {
      const { headersTimeout, keepAliveTimeout, maxHeadersCount, requestTimeout } = server;
      return response.end(JSON.stringify({ headersTimeout, keepAliveTimeout, maxHeadersCount, requestTimeout }));
    }
    if (pathname === '/reexec') app.reexec().catch(({ message }) => tell('reexec-failed', { message }));
    const takes = Number(searchParams.get('takes') ?? 0);
    if (takes > 0) {
      tell('began', { pathname });
      await delay(takes);
    }
    response.end(`${pathname}\n`);
  });
  return server;
}

const listening = [];
for (const options of JSON.parse(LISTENERS)) {
  const { tls, ...where } = options;
  listening.push(await app.listen(createServer({ tls }), where));
}
if (process.env.SILENT_SUCCESSOR !== undefined && app.generation > 0) {
  await new Promise(() => setInterval(() => {}, 60_000));
}
tell('serving');
await app.ready();
const { generation, predecessor } = app;
tell('ready', { generation, predecessor, listening, addresses: listening.map(({ port, path }) => ({ port, path })) });
