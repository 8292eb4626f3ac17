import { getNonBlocking, setNonBlocking } from '../../fd/descriptor.ts';

const outputs = [1, 2];

/**
 * Starts a child that shares this process's standard output or error. libuv makes both blocking for a child, in the open file
 * description, and so for this process too: the next line to a reader that does not read would stop it. Only for a child
 * that makes them non-blocking itself, as Node does; any other may fail with EAGAIN.
 */
export function sharingStreams<Started>(start: () => Started): Started {
  const nonBlocking = outputs.filter(isNonBlocking);
  try {
    return start();
  } finally {
    for (const fd of nonBlocking) setNonBlocking(fd, true);
  }
}

function isNonBlocking(fd: number): boolean {
  try {
    return getNonBlocking(fd);
  } catch {
    // It is closed.
    return false;
  }
}
