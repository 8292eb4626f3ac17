import { untilAborted } from '../../channel/deadline.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import type { DrainReason } from '../../servers/index.ts';

/** What the application does when its process begins to leave. */
export type DrainHook = (reason: DrainReason) => void | Promise<void>;

type Stay = { readonly is: 'staying' } | { readonly is: 'leaving'; readonly reason: DrainReason };

/** The hooks of `onDrain()`: called in the turn in which the process begins to leave, and again each time that it does. */
export class DrainHooks {
  readonly #hooks: DrainHook[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #report: (error: unknown) => void;
  #stay: Stay = { is: 'staying' };

  /** @param report is told what a hook throws: the process leaves all the same */
  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  /** One that comes when the process leaves already is called at once. */
  add(hook: DrainHook): void {
    if (typeof hook !== 'function') {
      throw Object.assign(new TypeError(`onDrain() needs a function. Received ${typeof hook}`), {
        code: 'ERR_INVALID_ARG_TYPE',
      });
    }
    this.#hooks.push(hook);
    if (this.#stay.is === 'leaving') this.#call(hook, this.#stay.reason);
  }

  /** The process begins to leave. One that leaves already, and is told to stop besides, has called them. */
  begin(reason: DrainReason): void {
    if (this.#stay.is === 'leaving') return;
    this.#stay = { is: 'leaving', reason };
    for (const hook of this.#hooks) this.#call(hook, reason);
  }

  /** The process serves again: the next time is another one. */
  stay(): void {
    this.#stay = { is: 'staying' };
  }

  /**
   * Resolves, and never rejects, when none of them runs: what they do is a part of the drain. When the time for that is
   * over, as `over` says, those that still run are reported.
   */
  async done(over: AbortSignal): Promise<void> {
    try {
      while (this.#running.size > 0) await untilAborted(Promise.all(this.#running), over);
    } catch (error) {
      this.#report(
        new HandoffError(
          'ERR_HANDOFF_TIMEOUT',
          'The onDrain() hooks were not done when the time for the drain was over.',
          {
            cause: error,
          },
        ),
      );
    }
  }

  #call(hook: DrainHook, reason: DrainReason): void {
    const running = new Promise<void>((resolve) => resolve(hook(reason)))
      .catch(this.#report)
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}
