import { HandoffError } from '../../fd/handoff-error.ts';

/** `app.draining`: aborted while this process accepts nothing, and a new one each time that it accepts again. */
export class DrainingSignal {
  #controller = new AbortController();

  get current(): AbortSignal {
    return this.#controller.signal;
  }

  abort(doing: 'draining' | 'paused'): void {
    this.#controller.abort(new HandoffError('ERR_HANDOFF_ABORTED', `This process is ${doing}.`));
  }

  renew(): void {
    if (this.current.aborted) this.#controller = new AbortController();
  }
}
