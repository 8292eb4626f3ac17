import { existsSync } from 'node:fs';
import net from 'node:net';
import { expect, it } from 'vitest';
import { pipe } from '../../../lib/fd/descriptor.ts';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { Haproxy, takeFromHaproxy } from '../../../lib/haproxy/index.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

// The real one is in test/e2e/other-programs.

it('nobody gives nothing', async () => {
  using folder = new TemporaryFolder();
  expect(await takeFromHaproxy(folder.file('stats.sock'))).toBeNull();
  expect(existsSync(folder.file('stats.sock'))).toBe(false);
});

it('who is no HAProxy is told apart', async () => {
  using folder = new TemporaryFolder();
  const path = folder.file('stats.sock');
  // One that reads notices that the other end is closed, and is gone with it.
  const server = net.createServer((socket) => socket.resume().end('220 mail.example.org\n'));
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  await expect(takeFromHaproxy(path)).rejects.toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
  await new Promise((resolve) => server.close(resolve));
});

it('what nobody has taken over is closed', async () => {
  await using _ = new DescriptorCheck();
  const sockets = pipe().map((fd) => ({ name: 'haproxy', descriptor: new OwnedFd(fd) }));
  new Haproxy(process.pid, sockets)[Symbol.dispose]();
  expect(sockets.map(({ descriptor }) => descriptor.closed)).toEqual([true, true]);
});
