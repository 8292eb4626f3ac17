import { getReuse, setReuse } from '../../fd/reuse.ts';

/** Whether other sockets of the same user may be bound beside this one, if they say so too: SO_REUSEPORT. */
export function isPortShared(fd: number): boolean {
  return getReuse(fd).port;
}

/** Says so from now on, or no longer: clearing it parts nobody who is bound already. */
export function sharePort(fd: number, on: boolean): void {
  setReuse(fd, { ...getReuse(fd), port: on });
}

/**
 * Does `act` while sockets can be bound beside these listeners. Linux asks for SO_REUSEPORT on both, at the moment of
 * bind(2) and listen(2) alone; so nothing is left of it for the process that shares them, and may keep them.
 */
export function whilePortIsShared<Result>(listeners: readonly number[], act: () => Result): Result {
  const changed = listeners.filter((fd) => !isPortShared(fd));
  for (const fd of changed) sharePort(fd, true);
  try {
    return act();
  } finally {
    for (const fd of changed) sharePort(fd, false);
  }
}
