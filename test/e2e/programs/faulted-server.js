// The server of the fault matrix: a handoff from it has every frame of a replacement, and descriptors for two batches.
import http from 'node:http';
import { handoff } from 'fd-handoff';

const { CONTROL, PORT, OPTIONS = '{}', SPAWNED_OPTIONS = '{}', SPARES = '62' } = process.env;
const options = JSON.parse(process.env.FD_HANDOFF_CHANNEL === undefined ? OPTIONS : SPAWNED_OPTIONS);

function tell(event, details = {}) {
  console.log(JSON.stringify({ ...details, event, pid: process.pid, at: Date.now() }));
}

function createServer() {
  return http.createServer(async (request, response) => {
    response.setHeader('x-served-by', process.pid);
    if (request.url === '/hold') {
      // In flight for as long as the client likes: until it has sent its whole body.
      tell('holding');
      for await (const _ of request);
    }
    response.end(`hello from ${process.pid}\n`);
  });
}

const app = await handoff({ control: CONTROL, ...options });
for (const name of ['commit', 'rollback', 'give-back', 'drain']) {
  app.on(name, ({ error, ...details }) => tell(name, { ...details, code: error?.code, message: error?.message }));
}
app.on('error', ({ code, message }) => tell('error', { code, message }));
app.onClose(() => tell('gone'));

const { inherited } = await app.listen(createServer(), { name: 'web', host: '127.0.0.1', port: Number(PORT) });
// Every generation has a listener and a descriptor that the next one has no use for.
await app.listen(createServer(), { name: `scratch-${app.generation}`, host: '127.0.0.1', port: 0 });
await app.descriptor(`scratch-file-${app.generation}`, openNull);
for (let index = 0; index < Number(SPARES); index++) await app.descriptor(`spare-${index}`, openNull);

let counter = 0;
await app.state('counter', {
  save: () => counter + 1,
  restore: (value) => {
    counter = value;
  },
});
await app.state('late', { late: true, save: () => new Uint8Array([1, 2, 3]), restore: () => tell('late-state') });

async function openNull() {
  const { openSync } = await import('node:fs');
  return openSync('/dev/null', 'r');
}

// To whom, where the predecessor that reads it is gone by now?
console.error('warming up');
try {
  await app.ready();
} catch ({ code, message }) {
  tell('failed', { code, message });
  process.exit(5);
}
tell('ready', { generation: app.generation, predecessor: app.predecessor?.pid, inherited, counter });
