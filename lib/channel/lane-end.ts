import { setTimeout as delay } from 'node:timers/promises';
import { HandoffError } from '../fd/handoff-error.ts';
import { receiveMessage } from '../fd/message.ts';
import type { OwnedFd } from '../fd/owned-fd.ts';

/**
 * How often a lane is looked at. Nothing wakes the event loop for it, and it is only looked at where a control connection
 * has ended without a word: a process that died closed both in the same moment, so that the first or the second look
 * finds it, far within the 100 ms in which a predecessor has to serve again.
 */
const lookInterval = 10;

/**
 * Resolves when the peer has closed its end of `lane`, or ours is closed. What still arrives is closed and dropped.
 *
 * A control connection can break while both processes live, a lane that nobody but they can touch cannot: whose lane is
 * open is alive, and means to stay.
 */
export async function endOfLane(lane: OwnedFd): Promise<void> {
  while (!lane.closed && !isAtEnd(lane)) await delay(lookInterval, undefined, { ref: false });
}

function isAtEnd(lane: OwnedFd): boolean {
  try {
    return receiveMessage(lane.fd, 1, 0)?.data.length === 0;
  } catch (error) {
    // Ours: descriptors came that nobody will ever announce. The system's: nobody is there any more.
    return !(error instanceof HandoffError);
  }
}
