import { HandoffError } from '../../fd/handoff-error.ts';
import type { OwnedFd } from '../../fd/owned-fd.ts';
import { peerCredentials } from '../../fd/peer-credentials.ts';

/**
 * What is received from a process is served with: somebody else's must not be trusted with that. Closes the connection of
 * one that is not.
 *
 * @throws ERR_HANDOFF_UNTRUSTED_PEER
 */
export function requireTrustedOwner(connection: OwnedFd, path: string): void {
  const { uid, pid } = peerCredentials(connection.fd);
  if (uid === 0 || uid === process.getuid?.()) return;
  connection.close();
  throw new HandoffError(
    'ERR_HANDOFF_UNTRUSTED_PEER',
    `Process ${pid} of user ${uid} listens on ${path}: nothing is taken over from another user. Give a path in a folder that only this user can write to.`,
  );
}
