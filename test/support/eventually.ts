import { setImmediate as turn } from 'node:timers/promises';

/** How long anything may take; it ends a test that hangs, and none is written to come near it. */
const limit = 30_000;

/**
 * Lets the event loop turn until `holds`; for what the kernel tells nobody, such as a descriptor that is closed. Throws
 * with what `found` says when it never does.
 */
export async function eventually(holds: () => boolean, found: () => unknown = () => 'false'): Promise<void> {
  const end = performance.now() + limit;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`it never came to be; at the end: ${JSON.stringify(found())}`);
    await turn();
  }
}
