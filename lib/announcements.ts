import { channel as diagnosticsChannel } from 'node:diagnostics_channel';
import type { EventEmitter } from 'node:events';
import type { HandoffEvents } from './events.ts';

/** Tells the application, and whoever listens on `diagnostics_channel`, what happens. Nothing that they do stops it. */
export class Announcements {
  readonly #emitter: EventEmitter<HandoffEvents>;

  constructor(emitter: EventEmitter<HandoffEvents>) {
    this.#emitter = emitter;
  }

  tell<Name extends Exclude<keyof HandoffEvents, 'error'>>(name: Name, ...[payload]: HandoffEvents[Name]): void {
    diagnosticsChannel(`fd-handoff:${name}`).publish(payload);
    try {
      (this.#emitter as EventEmitter).emit(name, payload);
    } catch (error) {
      // A listener of the application must not decide over the service.
      this.report(error);
    }
  }

  /** For what nobody is told of by a rejection: the event 'error', or a process warning where nobody listens. */
  report(error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    diagnosticsChannel('fd-handoff:error').publish({ error: failure });
    if (this.#emitter.listenerCount('error') === 0) {
      const { code = 'FD_HANDOFF_ERROR' } = failure as NodeJS.ErrnoException;
      process.emitWarning(failure.message, { type: 'HandoffWarning', code });
      return;
    }
    try {
      this.#emitter.emit('error', failure);
    } catch (thrown) {
      // As fatal as any uncaught error, but not in the middle of a step that must not stop half-way.
      process.nextTick(() => {
        throw thrown;
      });
    }
  }

  /** For what nobody awaits: its failure is reported, and changes nothing else. */
  inBackground(work: Promise<unknown>): void {
    work.catch((error) => this.report(error));
  }
}
