import { HandoffError } from '../fd/handoff-error.ts';

/** setTimeout() takes 31 bits of milliseconds, and fires at once where it is given more. */
const longestTimer = 2 ** 31 - 1;

/**
 * The end of a wait: a signal that aborts, with a typed error as its reason, when the time is over or when the caller's
 * own signal does. Every wait of the library takes such a signal and rejects with its reason, so that a wait without an
 * end cannot be written by forgetting something.
 */
export class Deadline implements Disposable {
  readonly signal: AbortSignal;
  readonly #dispose: () => void;

  private constructor(signal: AbortSignal, dispose: () => void) {
    this.signal = signal;
    this.#dispose = dispose;
  }

  /**
   * Makes one that expires, by ERR_HANDOFF_TIMEOUT, or is called off from outside. Dispose of it when the wait is over.
   *
   * @param milliseconds from now; `Infinity` waits for the outer signal alone
   * @param what was awaited, as the message says it: "the successor was not ready"
   * @param outer ends the wait earlier; its reason is kept as the cause
   */
  static after(milliseconds: number, what: string, outer?: AbortSignal): Deadline {
    const controller = new AbortController();
    const expire = () =>
      controller.abort(new HandoffError('ERR_HANDOFF_TIMEOUT', `${what} within ${milliseconds} ms.`));
    const cancel = () => controller.abort(abortReason(outer as AbortSignal));
    const timer = Number.isFinite(milliseconds) ? setTimeout(expire, Math.min(milliseconds, longestTimer)) : undefined;
    outer?.addEventListener('abort', cancel, { once: true });
    if (outer?.aborted) cancel();
    return new Deadline(controller.signal, () => {
      clearTimeout(timer);
      outer?.removeEventListener('abort', cancel);
    });
  }

  /** The wait is over: nothing expires any more. */
  [Symbol.dispose](): void {
    this.#dispose();
  }
}

/** The typed error for an aborted signal: its own reason where that is one of ours already. */
export function abortReason(signal: AbortSignal): HandoffError {
  if (signal.reason instanceof HandoffError) return signal.reason;
  return new HandoffError('ERR_HANDOFF_ABORTED', 'The caller aborted the operation.', { cause: signal.reason });
}

/** Rejects when `signal` aborts, else settles as `promise` does. What `promise` holds is the caller's to release. */
export function untilAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortReason(signal));
    if (signal.aborted) {
      // Someone has to look at it, or its own failure later counts as unhandled.
      promise.catch(() => {});
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
