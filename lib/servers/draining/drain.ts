import type { Socket } from 'node:net';
import type { Mover } from '../moving/mover.ts';
import type { Connections, DrainReason } from './connections.ts';
import type { Countdown } from './countdown.ts';

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
}

/** How a drain ended. */
export type DrainEnd =
  | { readonly how: 'drained'; readonly counts: DrainCounts }
  /** This process serves again. */
  | { readonly how: 'cancelled' };

/** What a drain is told. */
export interface DrainOrder {
  readonly limits: DrainLimits;
  /** When everything that is left is cut off. */
  readonly countdown: Countdown;
  /** What those are told who can be told before that. */
  readonly reason: DrainReason;
  /** Hears what was cut off, by its kind. */
  readonly onCutOff?: (kind: string) => void;
  /** Aborts to serve again. */
  readonly cancel: AbortSignal;
  /** Gives connections to the successor; null where there is none, or none that can take them. */
  readonly mover: Mover | null;
  /** Settles when nobody moves further connections here; the drain is not over before that. */
  readonly noMoreComing: Promise<unknown>;
}

/** How often some of many connections are closed or told, in milliseconds, where that is done one after the other. */
const spreadInterval = 100;

/**
 * How long before the end those are told who can be told, in milliseconds at most. Ten thousand WebSockets that come again
 * within three quarters of a minute are two hundred a second, which a server bears that serves them all day.
 */
const longestFarewell = 60_000;

/** Which part of that time telling them takes; in the rest they answer, and the last to be told need a round trip. */
const tellingShare = 0.75;

/**
 * Finishes what is in flight on `connections`, whose listener no longer accepts. An idle connection is not closed at
 * once: a request may be on the wire already and would be lost. It is told `Connection: close` with the next answer, or
 * ends by its keep-alive timeout as it would have without us. Those that outlast half of the time are closed bit by bit
 * over the other half: ten thousand clients that are closed in one moment connect again in one moment. For the same reason
 * WebSockets are told bit by bit, before the end, that it is near.
 *
 * @param leave says how connections are to leave: by `announceClose()`, or by `move()`
 */
export async function drain(
  connections: Connections,
  { limits, countdown, reason, onCutOff, cancel, noMoreComing }: DrainOrder,
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
    // A hammer leaves no time to do so bit by bit, and one word costs nothing.
    connections.tell(reason, 1);
    for (const socket of connections.sockets) if (!socket.destroyed) onCutOff?.(connections.workOn(socket).kind);
    cut(connections.destroyAll());
    over.abort();
  };
  const timers = [
    after(limits.idle, () => connections.closeIdle()),
    after(limits.halfSent, () => cut(connections.closeHalfSent())),
  ];
  const ended = new AbortController();
  countdown.over.addEventListener('abort', cutOff, { once: true, signal: ended.signal });
  if (countdown.over.aborted) cutOff();
  let plan = new AbortController();
  const planAnew = (left: number) => {
    plan.abort();
    plan = new AbortController();
    const half = left / 2;
    spread((share) => connections.closeIdle(share), { after: half, over: half }, plan.signal);
    const farewell = Math.min(half, longestFarewell);
    const telling = { after: left - farewell, over: farewell * tellingShare };
    spread((share) => connections.tell(reason, share), telling, plan.signal);
    // A successor that has not taken a connection by then may never do so: what is answered from now on is the last on it.
    spread(() => connections.tellAll(), { after: half, over: 0 }, plan.signal);
  };
  countdown.watch(planAnew, ended.signal);
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
    plan.abort();
    ended.abort();
  }
}

/** Has `act` done to all, an even share of them at a time, and in the end to whatever is left. */
function spread(
  act: (share: number) => void,
  { after: wait, over }: { readonly after: number; readonly over: number },
  ended: AbortSignal,
): void {
  if (!Number.isFinite(wait)) return;
  let steps = Math.max(1, Math.floor(over / spreadInterval));
  const step = () => {
    act(1 / steps);
    steps = Math.max(1, steps - 1);
    timer = setTimeout(step, spreadInterval);
  };
  let timer = setTimeout(step, wait);
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
