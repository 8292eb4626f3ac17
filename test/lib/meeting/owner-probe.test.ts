import net from 'node:net';
import { expect, it } from 'vitest';
import { isAnswered } from '../../../lib/meeting/owner-probe.ts';
import { TemporaryFolder } from '../../support/temporary-folder.ts';

it('nobody answers where nothing is', async () => {
  using folder = new TemporaryFolder();
  expect(await isAnswered(folder.file('control'))).toBe(false);
});

it('nobody answers where somebody hangs up', async () => {
  using folder = new TemporaryFolder();
  const path = folder.file('control');
  const server = net.createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  expect(await isAnswered(path)).toBe(false);
  await new Promise((resolve) => server.close(resolve));
});

it('a path that cannot be one of a socket is an error', async () => {
  await expect(isAnswered(`/${'long/'.repeat(40)}`)).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
});
