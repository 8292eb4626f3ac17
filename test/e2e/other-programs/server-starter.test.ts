// Perl's start_server (Debian's libserver-starter-perl) with a Node server, and Starlet, which knows nothing but its variable,
// after one.
import { fileURLToPath } from 'node:url';
import { expect, type TestContext, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { CommandRun } from '../../support/command.ts';
import { freePort } from '../../support/free-port.ts';
import { needs } from '../../support/needs.ts';
import { portOf } from '../../support/port-of.ts';
import { Program, serverProgram } from '../../support/program.ts';
import { Scene } from '../../support/scene.ts';
import { StrictLoad } from '../../support/strict-load.ts';

const application = fileURLToPath(new URL('../../peers/app.psgi', import.meta.url));

// Of its own it has no option that does nothing.
const needsStartServer = (context: TestContext) => needs(context, 'perl', '-MServer::Starter', '-e', '1');
const needsStarlet = (context: TestContext) => needs(context, 'perl', '-MPlack::Handler::Starlet', '-e', '1');

test('a Node server that start_server runs serves its sockets, at a port and at a path, and is restarted by it', async (context) => {
  needsStartServer(context);
  await using scene = new Scene();
  const port = await freePort();
  const path = `${scene.folder}/web.sock`;
  const LISTENERS = JSON.stringify([
    { name: 'web', port, host: '127.0.0.1' },
    { name: 'local', path },
  ]);
  // By itself it would stop the old one after an interval, ready as the new one may be: that is not its affair here.
  const options = ['--port', `127.0.0.1:${port}`, '--path', path, '--signal-on-hup', 'CONT'];
  const starter = scene.add(
    new Program('start_server', [...options, '--', process.execPath, serverProgram], {
      CONTROL: scene.control,
      LISTENERS,
    }),
  );
  const first = await starter.ready(0);
  const inherited = {
    listening: [
      { port, inherited: true },
      { path, inherited: true },
    ],
  };
  expect(first).toMatchObject({ ...inherited, predecessor: null });
  const load = new StrictLoad(port);
  const local = new StrictLoad(path);
  await load.servedBy(first.pid);
  await local.servedBy(first.pid);

  // It starts another one, which takes over from the first by the control path.
  starter.signal('SIGHUP');
  const second = await starter.ready(1);
  expect(second).toMatchObject({ ...inherited, predecessor: { pid: first.pid } });
  await starter.event('gone', ({ pid }) => pid === first.pid);
  await load.servedBy(second.pid);
  await local.servedBy(second.pid);
  console.log(`${(await load.end()) + (await local.end())} requests, 0 failed`);

  starter.signal('SIGTERM');
  expect(await starter.exited).toEqual({ code: 0, signal: null });
});

test('Node, Starlet, Node again, under strict load', async (context) => {
  needsStarlet(context);
  await using scene = new Scene();
  const LISTENERS = '[{"name":"web","port":0,"host":"127.0.0.1"}]';
  const first = scene.server({ LISTENERS });
  const port = await portOf(first);
  const load = new StrictLoad(port);
  await load.servedBy(first.pid);
  const flags = ['--convention', 'server-starter', '--ready-when', 'http:/'];
  const command = ['plackup', '-s', 'Starlet', '--max-workers', '4', application];
  const perl = scene.add(new CommandRun(['exec', scene.control, ...flags, '--', ...command]));
  expect(await first.exited).toEqual({ code: 0, signal: null });
  const { servedBy, text } = await ask({ port });
  expect(text).toBe('hello from Perl\n');
  await load.servedBy(servedBy);

  const last = scene.server({ LISTENERS });
  expect(await last.ready(2)).toMatchObject({ listening: [{ port, inherited: true }] });
  expect(await perl.exited).toEqual({ code: 0, signal: null });
  await load.servedBy(last.pid);
  console.log(`${await load.end()} requests, 0 failed`);
});
