// A process with two handoffs: a public server and an administrative one, each with a control path of its own. What it does
// comes from the environment; what happens is told on standard output, a JSON object a line.
import { existsSync } from 'node:fs';
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { handoff } from 'fd-handoff';

const { CONTROL, FAULT = '' } = process.env;
/** While this file is there, a successor does what it says. */
const fault = existsSync(FAULT);

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, pid: process.pid, ...details }));
}

function server(name) {
  return http.createServer(async (request, response) => {
    response.setHeader('x-served-by', process.pid);
    const wait = Number(new URL(request.url, 'http://host').searchParams.get('wait') ?? 0);
    if (wait > 0) {
      tell('began', { name });
      await delay(wait);
    }
    response.end(`hello from ${name} ${process.pid}\n`);
  });
}

async function part(name) {
  const app = await handoff({ control: `${CONTROL}-${name}` });
  for (const event of ['commit', 'give-back', 'drain']) app.on(event, () => tell(event, { name }));
  app.on('error', ({ code, message }) => tell('error', { name, code, message }));
  const { port } = await app.listen(server(name), { name, port: 0 });
  return { app, port };
}

const open = await part('public');
if (FAULT.endsWith('die') && fault) {
  await open.app.ready();
  process.exit(7);
}
let admin = null;
if (FAULT.endsWith('alone') && fault) await open.app.ready();
else {
  admin = await part('admin');
  await open.app.ready();
  await admin.app.ready();
}
tell('ready', {
  generation: open.app.generation,
  addresses: [{ port: open.port }],
  port: open.port,
  adminPort: admin?.port,
  adminGeneration: admin?.app.generation,
  adminPredecessor: admin?.app.predecessor?.pid,
});
if (process.env.REEXEC !== undefined) await open.app.reexec().catch(({ code }) => tell('refused', { code }));
