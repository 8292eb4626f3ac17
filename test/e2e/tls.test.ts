import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { askJson } from '../support/ask.ts';
import { makeCertificate } from '../support/certificate.ts';
import { serverProgram } from '../support/program.ts';
import { Scene } from '../support/scene.ts';

const certificate = makeCertificate();
const environment = {
  CERTIFICATE: JSON.stringify(certificate),
  LISTENERS: '[{"name":"web","port":0,"tls":true},{"name":"admin","port":0}]',
};

/** One request over TLS; the session that the server gave is kept for the next connection. */
async function visit(port: number, version: 'TLSv1.2' | 'TLSv1.3', session?: Buffer) {
  const socket: TLSSocket = connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: certificate.cert,
    minVersion: version,
    maxVersion: version,
    ...(session === undefined ? {} : { session }),
  });
  // With TLS 1.3 the tickets come after the handshake, with 1.2 in it.
  let latest: Buffer | undefined;
  socket.on('session', (given: Buffer) => {
    latest = given;
  });
  await once(socket, 'secureConnect');
  const resumed = socket.isSessionReused();
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  let text = '';
  for await (const chunk of socket) text += chunk;
  const servedBy = Number(/x-served-by: (\d+)/.exec(text)?.[1]);
  return { resumed, servedBy, session: latest };
}

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a client resumes its %s session with the successor, also where the command line has changed',
  async (version) => {
    await using scene = new Scene();
    const program = scene.server(environment);
    const { addresses } = await program.ready(0);
    const [web, admin] = (addresses as { port: number }[]).map(({ port }) => port) as [number, number];
    const first = await visit(web, version);
    expect(first).toMatchObject({ resumed: false, servedBy: program.pid });
    await askJson({ port: admin }, '/admin/upgrade', { args: [serverProgram, '--another', 'argument'] });
    const { pid } = await program.ready(1);
    const second = await visit(web, version, first.session);
    expect(second).toMatchObject({ resumed: true, servedBy: pid });
  },
);

test('an https request in flight at the handoff is answered in full, with Connection: close', async () => {
  await using scene = new Scene();
  const program = scene.server(environment);
  const { addresses } = await program.ready(0);
  const { port } = (addresses as { port: number }[])[0] as { port: number };
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: certificate.cert });
  await once(socket, 'secureConnect');
  socket.write('GET /?until=draining&wait=100 HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await program.event('began');
  program.signal('SIGHUP');
  let text = '';
  for await (const chunk of socket) text += chunk;
  expect(text).toContain(`hello from ${program.pid}`);
  expect(text.toLowerCase()).toContain('connection: close');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(await program.event('drain')).toMatchObject({ moved: 0, forced: 0 });
});
