import { Deadline, untilAborted } from '../../channel/deadline.ts';
import type { Successor } from '../../transaction/predecessor.ts';
import type { Downstream, Parts } from '../parts/parts.ts';
import { Drain, type DrainResult, patientLimits } from './drain.ts';

/** After commit: late state, the drain, the last word. Or the give-back, when the successor dies before that. */
export class DrainForSuccessor {
  readonly #parts: Parts;
  readonly #to: Downstream;
  #result: DrainResult | null = null;

  constructor(parts: Parts, to: Downstream) {
    this.#parts = parts;
    this.#to = to;
  }

  /** How it went; null before that, and where the successor has died. */
  get result(): DrainResult | null {
    return this.#result;
  }

  get pid(): number {
    return this.#to.pid;
  }

  begin(): void {
    this.#parts.announcer.inBackground(this.#drain());
  }

  async #drain(): Promise<void> {
    const { underway, settings, hooks, announcer, membership, life } = this.#parts;
    const { successor, pid } = this.#to;
    await underway.pause?.end();
    underway.pause = null;
    const died = new AbortController();
    void successor.departure.then((departure) => {
      if (departure === 'died') died.abort();
    });
    const said = this.#sendLateStates(successor, died.signal).catch((error) => announcer.report(error));
    const hooked = hooks.afterCommit({ pid, mode: 'replace' }).catch((error) => announcer.report(error));
    const { drainTimeout } = settings;
    const drain = new Drain(
      this.#parts,
      { reason: 'handoff', limits: patientLimits(drainTimeout), total: drainTimeout },
      {
        to: this.#to,
        died: died.signal,
        mover: underway.mover,
        settled: Promise.all([said, hooked, successor.settled, membership.othersHandedOver()]),
      },
    );
    this.#result = await drain.run();
    underway.mover = null;
    life.report({ is: this.#result === null ? 'successor-died' : 'drained' });
  }

  async #sendLateStates(successor: Successor, died: AbortSignal): Promise<void> {
    const { settings, takeover, estate } = this.#parts;
    // As long as an early one may take with all that is around it: the successor serves without it until then.
    using deadline = Deadline.after(settings.readyTimeout, 'The late state was not sent', died);
    // What the predecessor has promised and not sent yet is part of what is handed on.
    await untilAborted(takeover?.lateStatesRestored ?? Promise.resolve(), deadline.signal);
    await successor.lateStates(await untilAborted(estate.states.save('late'), deadline.signal), deadline.signal);
  }
}
