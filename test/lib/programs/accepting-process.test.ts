import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { expect, it } from 'vitest';
import { acceptanceOf } from '../../../lib/programs/accepting-process.ts';

/** Accepts on descriptor 3 when it is told to. */
const acceptor = `
  process.stdin.once('data', () => {
    require('node:net').createServer(() => console.log('accepted')).listen({ fd: 3 });
  });`;

it.runIf(process.platform === 'linux').each(['127.0.0.1', '::'])(
  'a connection to %s waits, and is accepted by a process of the session, or by another',
  async (host) => {
    const server = net.createServer();
    server.listen(0, host, 1);
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const { _handle: handle } = server as unknown as { _handle: { fd: number } };
    const child = spawn(process.execPath, ['-e', acceptor], {
      stdio: ['pipe', 'pipe', 'inherit', handle.fd],
      detached: true,
    });
    // Nobody accepts in this process, whose loop would.
    (handle as unknown as { unref(): void; close(done: () => void): void }).close(() => {});
    const socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const ports = { localPort: socket.localPort as number, remotePort: port };
    const session = child.pid as number;
    expect(acceptanceOf(ports, session)).toBe('nobody');
    child.stdin?.write('go');
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    expect(acceptanceOf(ports, session)).toBe('session');
    expect(acceptanceOf(ports, process.pid)).toBe('another');
    socket.destroy();
    child.kill('SIGKILL');
    await once(child, 'exit');
  },
);

it.runIf(process.platform === 'linux')(
  'a connection that is gone has been accepted by nobody of the session',
  async () => {
    const server = net.createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as net.AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    expect(acceptanceOf({ localPort: 1, remotePort: port }, process.pid)).toBe('another');
  },
);
