import { expect, it } from 'vitest';
import { OwnedFd } from '../../../../lib/fd/owned-fd.ts';
import { connectUnix } from '../../../../lib/fd/socket.ts';
import { claimUnixPath } from '../../../../lib/transaction/path/control-path.ts';
import { isTrustedListener, ListenerTrust } from '../../../../lib/transaction/path/socket-owner.ts';
import { never } from '../../../support/never.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

const [root, www, eve, nobody] = [0, 33, 1000, 65534];

it.each([
  // listener, self, user, keptByRoot, stranger, trusted
  ['one of root, by root', root, root, null, false, null, true],
  ['one of root, by a user', root, eve, null, false, null, true],
  ['its own', eve, eve, null, false, null, true],
  ['its own, where strangers have that number', nobody, nobody, null, false, nobody, true],
  ['a user by another', www, eve, null, false, null, false],
  ['a user by another that names it', www, eve, www, false, null, false],
  ['a user by another, where only root could have put it', www, eve, null, true, null, false],
  ['a user by root', eve, root, null, false, null, false],
  ['a user by root that names another', eve, root, www, false, null, false],
  ['the named user by root', www, root, www, false, null, true],
  ['a user by root, where only root could have put it', www, root, null, true, null, true],
  ['another than the named one, where only root could have put it', www, root, eve, true, null, true],
  ['the named user, where strangers have that number', nobody, root, nobody, false, nobody, false],
  ['the named user, where they have another', www, root, www, false, nobody, true],
  ['a stranger, where only root could have put it', nobody, root, nobody, true, nobody, true],
])('%s', (_what, listener, self, user, keptByRoot, stranger, trusted) => {
  expect(isTrustedListener({ listener, self, user, keptByRoot, stranger })).toBe(trusted);
});

it('leaves the connection to a trusted listener open', async () => {
  using folder = new TemporaryFolder();
  const path = folder.file('control.sock');
  using listener = (await claimUnixPath(path, { backlog: 1 }, never)) as OwnedFd;
  const trust = ListenerTrust.before(path, null);
  using connection = new OwnedFd(connectUnix(path), 'a connection');
  trust.require(connection);
  expect([listener.closed, connection.closed]).toEqual([false, false]);
});
