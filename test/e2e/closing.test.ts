// Servers that their application stops in its own way, with a connection that has come from the process before.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { peerPackages } from '../support/peer-packages.ts';
import { portOf } from '../support/port-of.ts';
import { Program } from '../support/program.ts';
import { RawClient } from '../support/raw-client.ts';
import { Scene } from '../support/scene.ts';

const closingProgram = fileURLToPath(new URL('programs/closing-server.js', import.meta.url));

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

test.for([
  'close',
  'closeIdleConnections',
  'closeAllConnections',
  'stoppable',
  'http-terminator',
  'express',
  'fastify',
])('%s: a moved idle connection ends with the server, long before its own timeout', async (stop, context) => {
  const packages = join(peerPackages(context), 'package.json');
  await using scene = new Scene();
  const environment = { CONTROL: scene.control, STOP: stop, PACKAGES: packages };
  const program = scene.add(new Program(process.execPath, [closingProgram], environment));
  const port = await portOf(program);
  using client = await RawClient.connect(port);
  client.send(request);
  await client.until('answer');
  program.signal('SIGHUP');
  const { pid } = await program.ready(1);
  await program.event('drain');
  program.signal('SIGUSR2', pid);
  expect(await client.closed).toMatch(/^HTTP\/1.1 200 OK(?:(?!HTTP).)*answer$/s);
  expect((await program.event('stopped')).pid).toBe(pid);
});
