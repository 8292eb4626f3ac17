import cluster from 'node:cluster';

/** Whether this process is a worker of a cluster: what it serves with is its primary's. */
export function isClusterWorker(): boolean {
  return cluster.isWorker;
}

/**
 * Calls `leave` when the primary is gone, or has disconnected this worker: it is to finish what it has then, instead of
 * ending at once, as Node makes a worker do whose primary is gone without a word (`_setupWorker` of
 * lib/internal/cluster/child.js).
 */
export function leaveWithPrimary(leave: () => void): void {
  const { worker } = cluster;
  worker?.once('disconnect', () => {
    // What Node asks, right after this, to tell an end that was agreed from one that was not.
    worker.exitedAfterDisconnect = true;
    leave();
  });
}
