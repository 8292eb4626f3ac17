import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fd from '../../lib/fd/index.ts';

test('fd-handoff/fd has exactly its public names', () => {
  assert.deepEqual(Object.keys(fd).sort(), [
    'HandoffError',
    'MAXIMUM_DESCRIPTORS',
    'OwnedFd',
    'accept',
    'bindTcp',
    'bindUdp',
    'bindUnix',
    'close',
    'closeAll',
    'connectUnix',
    'describe',
    'dup',
    'exec',
    'getCloseOnExec',
    'getNonBlocking',
    'handoffErrorCodes',
    'isHandoffErrorCode',
    'isSupported',
    'listen',
    'peerCredentials',
    'pipe',
    'receiveMessage',
    'sendDatagram',
    'sendMessage',
    'setCloseOnExec',
    'setNonBlocking',
    'socketPair',
  ]);
});
