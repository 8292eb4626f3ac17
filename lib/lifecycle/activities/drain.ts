import type { Control } from '../../channel/control.ts';
import { CutOff, type DrainEnd, type DrainLimits, type Mover } from '../../servers/index.ts';
import { rejoin } from '../../transaction/visits/rejoin.ts';
import type { DrainReport } from '../contract/events.ts';
import { isAlone } from '../decision/state.ts';
import type { Downstream, Parts } from '../parts/parts.ts';
import { answersOf } from './answers.ts';

/**
 * How long a client may take to finish a request that it has begun when the drain begins. Ten seconds are more than a
 * slow phone needs for a head, and a third of a shutdown.
 */
export const halfSentGrace = 10_000;

/** Never aborts. */
const never = new AbortController().signal;

/** For a drain during which somebody else serves, or will soon: idle connections may stay as long as they like. */
export function patientLimits(total: number): DrainLimits {
  return { idle: Number.POSITIVE_INFINITY, halfSent: Math.min(halfSentGrace, total) };
}

export interface DrainPlan {
  readonly reason: DrainReport['reason'];
  readonly limits: DrainLimits;
  /** How long it may take, in milliseconds. */
  readonly total: number;
}

/** For whom a process drains, and what calls that off. */
export interface Handover {
  readonly to: Downstream;
  /** Aborts when the successor has died. */
  readonly died: AbortSignal;
  readonly mover: Mover | null;
  /** Settles when the successor has all that is its own: until then it may fail as a whole, and everything is given back. */
  readonly settled: Promise<unknown>;
}

/** How a drain went: for the report, and for whoever is told of what was cut off. */
export interface DrainResult {
  readonly report: DrainReport;
  readonly cutOff: CutOff;
  readonly successor: Downstream | null;
}

/** Finishes what is in flight, to the end of this process's life, or until its successor has died. */
export class Drain {
  readonly #parts: Parts;
  readonly #plan: DrainPlan;
  readonly #handover: Handover | null;
  readonly #cutOff = new CutOff();

  constructor(parts: Parts, plan: DrainPlan, handover: Handover | null) {
    this.#parts = parts;
    this.#plan = plan;
    this.#handover = handover;
  }

  /** Resolves with how it went; null where the successor has died. */
  async run(): Promise<DrainResult | null> {
    const { estate, clock, underway } = this.#parts;
    const { reason, limits, total } = this.#plan;
    const handover = this.#handover;
    const countdown = clock.begin(total);
    const over = new AbortController();
    // Whoever serves then is to know of this process, be its successor gone or one that drains itself.
    if (handover !== null) void handover.to.successor.leaving.then(() => this.#rejoin(over.signal));
    const end = await estate.drain({
      limits,
      countdown,
      reason: reason === 'handoff' ? reason : 'shutdown',
      cancel: handover?.died ?? never,
      mover: handover?.mover ?? null,
      noMoreComing: this.#noMoreComing(countdown.over),
      onCutOff: (kind) => this.#cutOff.add(kind),
    });
    over.abort();
    if (end.how === 'cancelled') return null;
    const duration = Math.round(clock.elapsed);
    clock.end();
    // A successor that was called off has to be gone first: it holds the listeners, and nobody else would end it.
    await underway.attempt?.ended;
    return this.#resultOf(end, duration);
  }

  #resultOf({ counts }: DrainEnd & { how: 'drained' }, duration: number): DrainResult {
    const { reason } = this.#plan;
    return { report: { ...counts, duration, reason }, cutOff: this.#cutOff, successor: this.#handover?.to ?? null };
  }

  /** Settles when nobody moves further connections here, and nothing else has to be waited for. */
  #noMoreComing(over: AbortSignal): Promise<unknown> {
    const { drainHooks, generations, life, peers } = this.#parts;
    const handover = this.#handover;
    return Promise.all([
      handover?.settled,
      handover === null ? null : upstreamGone(peers.upstream),
      drainHooks.done(over),
      // Nobody serves any more, and with this process a container or a service may end: theirs is as long as its own.
      this.#plan.reason === 'shutdown' && isAlone(life.state) ? generations.gone() : null,
    ]);
  }

  /** Makes this process, which drains, known to whoever serves now. */
  #rejoin(over: AbortSignal): void {
    const { settings, life, announcer, generation, reopenings, estate } = this.#parts;
    if (settings.control === null || over.aborted || life.state.is !== 'draining') return;
    const follow = (control: Control, features: readonly string[]) => {
      reopenings.join(control, features);
      // Files may have been renamed while nobody could tell: the one who serves was another image then.
      estate.reopen();
    };
    announcer.inBackground(rejoin(settings.control, generation, answersOf(this.#parts), follow, over));
  }
}

/**
 * A predecessor that still drains moves its connections here, and they go on from here: not before it is gone can this
 * process be. One that stands beside this process moves nothing.
 */
export function upstreamGone(upstream: Parts['peers']['upstream']): Promise<void> {
  return upstream !== null && upstream.takeover.mode === 'replace' ? upstream.gone : Promise.resolve();
}
