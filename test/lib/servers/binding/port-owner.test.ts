import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { portOwner } from '../../../../lib/servers/binding/port-owner.ts';

const onLinux = it.runIf(process.platform === 'linux');

onLinux.each(['127.0.0.1', '::1', '::'])('a TCP port of %s that this process has', async (host) => {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(portOwner('tcp', port)).toBe('this process itself');
  expect(portOwner('udp', port)).toBeNull();
  server.close();
  await once(server, 'close');
  expect(portOwner('tcp', port)).toBeNull();
});

onLinux('a UDP port', async () => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  expect(portOwner('udp', socket.address().port)).toBe('this process itself');
  socket.close();
});

onLinux('a port of another process, by its number and name', async () => {
  const program = 'const s = require("net").createServer().listen(0, () => console.log(s.address().port))';
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    expect(portOwner('tcp', Number(line))).toMatch(new RegExp(`^process ${child.pid} \\(.+\\)$`));
  } finally {
    child.kill();
    await once(child, 'close');
  }
});
