import { expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

/** Makes a process believe that it runs on Windows before anything of the library is loaded. */
const pretend = `data:text/javascript,Object.defineProperty(process,'platform',{value:'win32'})`;

const program = `
import http from 'node:http';
import { handoff, isSupported } from ${JSON.stringify(import.meta.resolve('fd-handoff'))};
import * as fd from ${JSON.stringify(import.meta.resolve('fd-handoff/fd'))};
import ${JSON.stringify(import.meta.resolve('fd-handoff/channel'))};

const tell = (event, details) => console.log(JSON.stringify({ event, pid: process.pid, ...details }));
const code = async (action) => { try { await action(); return 'none'; } catch (error) { return error.code; } };

const app = await handoff({ control: './never.sock' });
const server = http.createServer((request, response) => response.end('served'));
await app.listen(server, { port: 0, host: '127.0.0.1' });
await app.ready();
tell('ready', {
  generation: app.generation,
  port: server.address().port,
  supported: isSupported(),
  upgrade: await code(() => app.upgrade()),
  reexec: await code(() => app.reexec()),
  dup: await code(() => fd.dup(0)),
});
`;

test('on a platform without support everything imports and serves, and upgrade() says why it cannot', async () => {
  await using scene = new Scene();
  const server = scene.add(
    new Program(process.execPath, ['--import', pretend, '--input-type=module', '-e', program], {}, scene.folder),
  );
  const told = await server.ready(0);
  expect(told).toMatchObject({
    supported: false,
    upgrade: 'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
    reexec: 'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
    dup: 'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
  });
  expect(await ask({ port: told.port as number })).toMatchObject({ status: 200, text: 'served' });
  server.signal('SIGTERM');
  expect(await server.exited).toEqual({ code: 0, signal: null });
});
