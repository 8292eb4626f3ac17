import type { Socket } from 'node:net';
import type { Connections } from './connections.ts';
import type { Mover } from './mover.ts';

/** What became of the connections that were open when the drain began. */
export interface DrainCounts {
  /** Given to the successor, unclosed. */
  readonly moved: number;
  /** Ended in good order: answered, closed by the client, or idle. */
  readonly drained: number;
  /** Cut off at the deadline, or by the hammer, with something unfinished. */
  readonly forced: number;
}

export interface DrainLimits {
  /** When idle connections are closed, in milliseconds from the start; `Infinity`: their own keep-alive timeout does it. */
  readonly idle: number;
  /** When half-sent requests are given up. */
  readonly halfSent: number;
  /** When everything that is left is cut off. */
  readonly total: number;
}

/** How a drain ended. */
export type DrainEnd =
  | { readonly how: 'drained'; readonly counts: DrainCounts }
  /** This process serves again. */
  | { readonly how: 'cancelled' };

/** What a drain is told. */
export interface DrainOrder {
  readonly limits: DrainLimits;
  /** Aborts to cut everything off now. */
  readonly force: AbortSignal;
  /** Aborts to serve again. */
  readonly cancel: AbortSignal;
  /** Gives connections to the successor; null where there is none, or none that can take them. */
  readonly mover: Mover | null;
  /** Settles when nobody moves further connections here; the drain is not over before that. */
  readonly noMoreComing: Promise<unknown>;
}

/** How often some of many idle connections are closed, in milliseconds, where they are closed one after the other. */
const spreadInterval = 100;

/**
 * Finishes what is in flight on `connections`, whose listener no longer accepts. An idle connection is not closed at
 * once: a request may be on the wire already and would be lost. It is told `Connection: close` with the next answer, or
 * ends by its keep-alive timeout as it would have without us. Those that outlast half of the time are closed bit by bit
 * over the other half: ten thousand clients that are closed in one moment connect again in one moment.
 *
 * @param leave says how connections are to leave: by `announceClose()`, or by `move()`
 */
export async function drain(
  connections: Connections,
  { limits, force, cancel, noMoreComing }: DrainOrder,
  leave: () => void,
): Promise<DrainEnd> {
  const atStart = connections.sockets.size;
  const movedBefore = connections.moved;
  // A set, because one that was answered 408 may still be there when everything is cut off.
  const forced = new Set<Socket>();
  const cut = (sockets: Socket[]) => {
    for (const socket of sockets) forced.add(socket);
  };
  leave();
  const over = new AbortController();
  const cutOff = () => {
    connections.closeIdle();
    cut(connections.destroyAll());
    over.abort();
  };
  const timers = [
    after(limits.idle, () => connections.closeIdle()),
    after(limits.halfSent, () => cut(connections.closeHalfSent())),
    after(limits.total, cutOff),
  ];
  if (force.aborted) cutOff();
  force.addEventListener('abort', cutOff, { once: true });
  const ended = new AbortController();
  spreadIdle(connections, limits.total / 2, ended.signal);
  try {
    const emptied = Promise.race([noMoreComing, aborted(over.signal, ended.signal)]).then(() => connections.empty());
    await Promise.race([emptied, aborted(cancel, ended.signal)]);
    if (cancel.aborted) {
      connections.keepOpen();
      return { how: 'cancelled' };
    }
    const moved = connections.moved - movedBefore;
    const drained = Math.max(0, atStart - moved - forced.size);
    return { how: 'drained', counts: { moved, drained, forced: forced.size } };
  } finally {
    for (const timer of timers) clearTimeout(timer);
    force.removeEventListener('abort', cutOff);
    ended.abort();
  }
}

/** Closes idle connections evenly over a second period as long as the first, which leaves them alone. */
function spreadIdle(connections: Connections, period: number, ended: AbortSignal): void {
  if (!Number.isFinite(period)) return;
  let steps = Math.max(1, Math.floor(period / spreadInterval));
  const step = () => {
    connections.closeIdle(1 / steps);
    steps = Math.max(1, steps - 1);
    timer = setTimeout(step, spreadInterval);
  };
  let timer = setTimeout(step, period);
  ended.addEventListener('abort', () => clearTimeout(timer), { once: true });
}

function after(milliseconds: number, act: () => void): NodeJS.Timeout | undefined {
  return Number.isFinite(milliseconds) ? setTimeout(act, milliseconds) : undefined;
}

/** Resolves when `signal` aborts; stops listening to it when `ended` does. */
function aborted(signal: AbortSignal, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true, signal: ended });
  });
}
