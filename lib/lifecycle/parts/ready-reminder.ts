/**
 * How long nothing may happen before `ready()`, in milliseconds, until it is said that it is missing. A start that warms up
 * goes on for a second or two after its last registration; ten tell of one that waits for nothing, while somebody who has
 * just started it still looks.
 */
const patience = 10_000;

/** Those whose `ready()` is to come. */
const waiting = new Set<ReadyReminder>();

/** One listener for all of them: a process may have many handoffs. */
function remindAtTheEnd(): void {
  for (const reminder of [...waiting]) reminder.remind('the event loop has nothing left to do, and the process ends');
}

/** Warns where `ready()` is forgotten: nothing is accepted before it, and no predecessor replaced. Once. */
export class ReadyReminder implements Disposable {
  readonly #progress: () => number;
  #timer: NodeJS.Timeout;

  /** @param progress grows with everything that is registered */
  constructor(progress: () => number) {
    this.#progress = progress;
    this.#timer = this.#wait();
    if (waiting.size === 0) process.on('beforeExit', remindAtTheEnd);
    waiting.add(this);
  }

  /** @internal */
  remind(why: string): void {
    this[Symbol.dispose]();
    process.emitWarning(
      `ready() was not called, and ${why}. Nothing is accepted before that, and no predecessor is replaced: await app.ready() once everything is registered.`,
      { type: 'HandoffWarning', code: 'FD_HANDOFF_NOT_READY' },
    );
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    if (waiting.delete(this) && waiting.size === 0) process.off('beforeExit', remindAtTheEnd);
  }

  #wait(): NodeJS.Timeout {
    const before = this.#progress();
    const look = () => {
      if (this.#progress() !== before) this.#timer = this.#wait();
      else this.remind(`nothing was registered for ${patience / 1_000} seconds`);
    };
    // A process that has nothing else to do may end.
    return setTimeout(look, patience).unref();
  }
}
