import type { Parts } from '../parts/parts.ts';
import { Pause } from '../parts/pause.ts';
import { halfSentGrace, upstreamGone } from './drain.ts';

/** Accepts nothing from now on, finishes what is in flight, and stays. */
export function pause({ estate, settings, clock, peers, draining, announcer, underway }: Parts): void {
  estate.stopAccepting();
  // Idle connections are to find whoever serves beside this process: an operator waits for the traffic to go there.
  const limits = { halfSent: halfSentGrace, idle: settings.shutdownTimeout };
  // The hammer is for the drain of the shutdown that it brings, which counts what it cuts off.
  const order = {
    limits,
    countdown: clock.begin(Number.POSITIVE_INFINITY),
    reason: 'handoff' as const,
    mover: null,
    noMoreComing: upstreamGone(peers.upstream),
  };
  underway.pause = new Pause((cancel) => estate.drain({ ...order, cancel }));
  draining.abort('paused');
  announcer.tell('pause');
}
