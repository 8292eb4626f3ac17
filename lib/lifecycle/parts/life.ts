import { decide } from '../decision/decide.ts';
import type { LifeEvent } from '../decision/event.ts';
import type { Order } from '../decision/order.ts';
import type { State } from '../decision/state.ts';
import { causeOf, type PhaseChange } from '../decision/transitions.ts';
import { overtakenError, refusalError } from './guards.ts';

/** What carries out what was decided. */
export interface LifeListener {
  /** The phase is another one from now on. */
  readonly onPhase: (change: PhaseChange) => void;
  /** Begins what is ordered, with what it follows from; what takes time goes on by itself. */
  readonly carryOut: (order: Order, event: LifeEvent) => void;
}

/** The one owner of what a process is: everything that happens is reported here, and what follows is carried out. */
export class Life {
  #state: State;
  readonly #listener: LifeListener;
  /** Orders of one event are carried out before those of another that happens meanwhile: a listener may call back. */
  readonly #pending: (() => void)[] = [];
  #carrying = false;
  #whenChanged: (() => void)[] = [];

  constructor(state: State, listener: LifeListener) {
    this.#state = state;
    this.#listener = listener;
  }

  get state(): State {
    return this.#state;
  }

  /**
   * Something has happened, or is wanted.
   *
   * @returns whether it counts; false where something else came first, as a stop does
   * @throws ERR_HANDOFF_BUSY, ERR_HANDOFF_NOT_READY for what is wanted and may not be now
   */
  report(event: LifeEvent): boolean {
    const before = this.#state;
    const step = decide(before, event);
    if (step.is === 'refused') throw refusalError(step.why, event.is, before);
    if (step.is === 'impossible') {
      throw new Error(`"${event.is}" cannot happen to a process that is ${before.is}: ${step.because}`);
    }
    this.#state = step.state;
    const { is: from } = before;
    const { is: to } = step.state;
    if (from !== to) {
      const change = { from, to, cause: causeOf(from, to) };
      this.#pending.push(() => this.#listener.onPhase(change));
    }
    for (const order of step.orders) this.#pending.push(() => this.#listener.carryOut(order, event));
    this.#carryOn();
    const waiting = this.#whenChanged;
    this.#whenChanged = [];
    for (const resolve of waiting) resolve();
    return step.is === 'taken';
  }

  /** For an activity that has come so far: throws ERR_HANDOFF_ABORTED where something else came first. */
  reach(event: LifeEvent): void {
    const { is } = this.#state;
    if (!this.report(event)) throw overtakenError(event.is, is);
  }

  /** Resolves when something else has been reported. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#whenChanged.push(resolve));
  }

  #carryOn(): void {
    if (this.#carrying) return;
    this.#carrying = true;
    const failures: unknown[] = [];
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
      try {
        next();
      } catch (error) {
        // The others are what keeps the service: one that fails must not take them along.
        failures.push(error);
      }
    }
    this.#carrying = false;
    if (failures.length > 0) throw failures[0];
  }
}
