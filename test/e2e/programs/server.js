// The server that the end-to-end tests replace. What it does comes from the environment, so that a test can give its
// successor another behaviour; what happens inside is told on standard output, a JSON object a line, and asked for over
// HTTP under /admin/.
import { subscribe } from 'node:diagnostics_channel';
import { EventEmitter, once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { handoff, signalPresets } from 'fd-handoff';

const { BEHAVIOUR = 'serve', CONTROL, LISTENERS = '[{"port":0}]', OPTIONS = '{}', SLOW = '0' } = process.env;

const told = new EventEmitter();

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
  // Not as "error", which has a meaning of its own there.
  told.emit(`told ${event}`);
}

function asJson(error) {
  const { cause, code, message, exitCode, signal, stderr } = error;
  return { code, message, exitCode, signal, stderr, cause: cause?.message };
}

const abort = new AbortController();

/** Functions do not travel as JSON: what `preflight` can be by name. */
const checks = {
  passes: async () => tell('checked'),
  throws: () => {
    throw new Error('the configuration is wrong');
  },
  hangs: ({ signal }) => {
    signal.addEventListener('abort', () => tell('check-aborted'));
    return new Promise(() => {});
  },
};

function withFunctions({ id, preflight, ...options }) {
  const checked = typeof preflight === 'string' ? checks[preflight] : preflight;
  return { ...options, signal: abort.signal, ...(checked === undefined ? {} : { preflight: checked }) };
}

/** How many connections wait to be accepted on a port, in the queues of all its IPv4 listeners. */
function queuedOn(port) {
  const listening = '0A';
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address, , state]) => address?.endsWith(local) && state === listening)
    .reduce((sum, [, , , , queues]) => sum + Number.parseInt(queues.split(':')[1], 16), 0);
}

const admin = {
  '/admin/upgrade': async (body) => ({ pid: await app.upgrade(withFunctions(body)) }),
  '/admin/descriptors': async () => {
    const open = readdirSync('/proc/self/fd').length;
    return { open };
  },
  '/admin/memory': async () => {
    globalThis.gc?.();
    return process.memoryUsage();
  },
  '/admin/shutdown': async (body) => {
    app.shutdown(body);
    return {};
  },
  // Accepts nothing until so many wait, and shuts down in the same turn of the event loop.
  '/admin/shutdown-when-queued': async ({ queued }, { socket }) => {
    tell('blocking');
    while (queuedOn(socket.localPort) < queued);
    app.shutdown();
    return {};
  },
  '/admin/reexec': async (body) => {
    app.reexec(withFunctions(body)).catch((error) => tell('reexec-failed', { id: body.id, ...asJson(error) }));
    return {};
  },
  '/admin/abort': async () => {
    abort.abort();
    return {};
  },
  '/admin/connection': async (_body, { socket }) => {
    const { remoteAddress, remotePort } = socket;
    const connections = await new Promise((resolve) => {
      socket.server.getConnections((_error, count) => resolve(count));
    });
    tell('connection', { remoteAddress, remotePort, connections });
    return {};
  },
  '/admin/status': async () => app.status(),
  '/admin/close': async ({ name }) => {
    servers.get(name).close(() => tell('closed', { name }));
    return {};
  },
  '/admin/environment': async () => Object.keys(process.env),
  '/admin/hang': async () => {
    tell('hanging');
    for (;;);
  },
  '/admin/hammer': async () => {
    app.hammer();
    return {};
  },
};

const certificate = JSON.parse(process.env.CERTIFICATE ?? '{}');

function createServer({ tls = false }) {
  const keepAliveTimeout = Number(process.env.KEEP_ALIVE_TIMEOUT ?? 5000);
  const { createServer } = tls ? https : http;
  const server = createServer({ keepAliveTimeout, ...certificate }, async (request, response) => {
    response.setHeader('x-served-by', process.pid);
    if (request.url === '/large') {
      response.end(Buffer.alloc(24 * 1024 * 1024));
      return;
    }
    if (request.url === '/health') {
      app.health()(request, response);
      return;
    }
    const action = admin[request.url];
    if (action === undefined) {
      const { searchParams } = new URL(request.url, 'http://host');
      const wait = Number(searchParams.get('wait') ?? SLOW);
      // In flight for as long as it takes until something has happened here, however busy the machine is.
      const until = searchParams.get('until');
      if (until !== null || wait > 0) {
        const happened = until === null ? null : once(told, `told ${until}`);
        tell('began', { url: request.url });
        await happened;
        await delay(wait);
      }
      response.end(`hello from ${process.pid}\n`);
      return;
    }
    let body = '';
    for await (const chunk of request) body += chunk;
    try {
      response.end(JSON.stringify(await action(JSON.parse(body || '{}'), request)));
    } catch (error) {
      response.statusCode = 500;
      response.end(JSON.stringify(asJson(error)));
    }
  });
  return server;
}

if (BEHAVIOUR === 'exit-at-once') process.exit(7);
if (BEHAVIOUR === 'throw-at-once') throw new Error('thrown before anything else');
if (BEHAVIOUR === 'hang-at-once') {
  tell('hanging');
  setInterval(() => {}, 1000);
  await new Promise(() => {});
}

const app = await handoff({
  ...(CONTROL === undefined ? {} : { control: CONTROL }),
  // As by default, and a way to have two versions beside each other.
  signals: { ...signalPresets.default, SIGUSR2: 'keep' },
  ...JSON.parse(OPTIONS),
});
for (const name of ['offer', 'commit', 'rollback', 'give-back', 'pause', 'resume', 'reopen', 'drain']) {
  app.on(name, (details) => tell(name, { ...details, ...(details?.error && { error: asJson(details.error) }) }));
}
for (const [signal, how] of Object.entries(JSON.parse(process.env.HOOKS ?? '{}'))) {
  const hook = (moment) => () => {
    tell(`hook-${moment}`, { signal });
    if (how === 'slow') return delay(200);
    if (how === `throw-${moment}`) throw new Error(`the hook ${moment} ${signal}`);
  };
  app.onSignal(signal, { before: hook('before'), after: hook('after') });
}
app.on('error', (error) => tell('error', asJson(error)));
app.onClose(() => tell('gone'));
// After the library's own, which was registered first: when this is told, that has acted.
process.on('SIGTERM', () => tell('told-to-stop'));
// By which a test says that what is in flight may end.
process.on('SIGCONT', () => tell('told-to-continue'));
app.draining.addEventListener('abort', () => tell('draining'));

const listening = [];
const servers = new Map();
for (const { tls, ...options } of JSON.parse(LISTENERS)) {
  const server = createServer({ tls });
  servers.set(options.name, server);
  listening.push(await app.listen(server, options));
}
for (const name of JSON.parse(process.env.CLOSED ?? '[]')) servers.get(name).close();

// What a server does that has bound a port below 1024 as root.
if (process.env.USER_ID !== undefined) process.setuid(Number(process.env.USER_ID));

let counter = 0;
const restored = await app.state('counter', {
  save: () => counter + 1,
  restore: (value) => {
    counter = value;
  },
});
await app.state('late', {
  late: true,
  save: () =>
    (BEHAVIOUR === 'never-saves' ? new Promise(() => {}) : null) ??
    Buffer.alloc(Number(process.env.LATE_BYTES ?? 3), Buffer.from([1, 2, 3])),
  restore: (value) => tell('late-state', { length: value.length, bytes: [...value.subarray(0, 3)] }),
});

if (BEHAVIOUR === 'exit') process.exit(3);
if (BEHAVIOUR === 'throw') throw new Error('thrown before ready');
if (BEHAVIOUR === 'hang') {
  tell('hanging');
  setInterval(() => {}, 1000);
  await new Promise(() => {});
}

if (BEHAVIOUR === 'wait') {
  const go = once(process, 'SIGCONT');
  tell('waiting');
  await go;
}

if (BEHAVIOUR === 'block') {
  tell('hanging');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

if (BEHAVIOUR === 'die-at-newline') {
  subscribe('fd-handoff:frame', ({ moment, name }) => {
    if (moment === 'sent' && name === 'READY') process.kill(process.pid, 'SIGKILL');
  });
}

const { generation, predecessor, rehearsal } = app;
tell('starting', { generation, predecessor, rehearsal, restored, listening });
try {
  await app.ready();
} catch (error) {
  tell('failed', asJson(error));
  process.exit(5);
}
tell('ready', {
  generation: app.generation,
  predecessor: app.predecessor,
  listening,
  counter,
  restored,
  addresses: listening.map(({ address, port, path }) => ({ address, port, path })),
});
