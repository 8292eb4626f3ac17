// A server that talks at every turn, and whose next versions do: to an output that nobody may be able to write to.
import { spawn } from 'node:child_process';
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { handoff } from 'fd-handoff';

const { CONTROL, NEXT = 'serves', HELPER } = process.env;

const app = await handoff({
  control: CONTROL,
  signals: { SIGHUP: 'upgrade', SIGUSR1: 'status', SIGTERM: 'shutdown' },
});
const server = http.createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const env = { ...process.env, NEXT: searchParams.get('next') ?? 'serves' };
  const failed = ({ code, stderr }) => ({ code, stderr });
  process.stderr.write(`asked for ${pathname}\n`);
  process.stdout.write(`asked for ${pathname}\n`);
  response.setHeader('x-served-by', process.pid);
  if (pathname === '/upgrade') {
    const options = { env, preflight: searchParams.has('preflight') };
    response.end(JSON.stringify(await app.upgrade(options).then((pid) => ({ pid }), failed)));
  } else if (pathname === '/reexec') {
    const failing = app.reexec({ env });
    if (searchParams.has('next')) response.end(JSON.stringify(await failing.catch(failed)));
    else response.end('{}');
  } else response.end('{}');
});
if (app.generation > 0) {
  process.emitWarning('a warning');
  if (HELPER === undefined) process.stderr.write(`${'what it says '.repeat(10_000)}\n`);
  else {
    const helper = spawn('sh', ['-c', HELPER], { stdio: ['ignore', 'ignore', 'inherit'], detached: true });
    helper.unref();
    console.log(JSON.stringify({ event: 'helper', pid: helper.pid }));
  }
}
if (NEXT === 'throws') {
  await delay(50);
  throw new Error('no database');
}
await app.listen(server, { name: 'web', host: '127.0.0.1', port: 0 });
await app.ready();
console.log(JSON.stringify({ event: 'ready', pid: process.pid, generation: app.generation }));
process.emitWarning('another warning');
