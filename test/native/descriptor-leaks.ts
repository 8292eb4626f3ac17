// Loaded before each file of the low-level suite (`--import`): what it opens has to be closed when its tests are over.
// tsx must not take this file from its cache (TSX_DISABLE_CACHE in `npm run test:native`): its compiler's process is then
// started for it, and not later for a file of tests, which would seem to have left its sockets open.
import { after } from 'node:test';
import { isMainThread } from 'node:worker_threads';
import { DescriptorCheck } from '../support/open-descriptors.ts';
import { isLinux } from './support.ts';

// The runner and the tests' worker threads load it, too, and have no tests.
const runsTests = isMainThread && process.env.NODE_TEST_CONTEXT !== undefined;

if (isLinux && runsTests) {
  const check = new DescriptorCheck();
  after(async () => {
    try {
      await check[Symbol.asyncDispose]();
    } catch (cause) {
      throw new Error(`${process.argv[1]} leaves descriptors open`, { cause });
    }
  });
}
