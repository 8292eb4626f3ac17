import type { EventEmitter } from 'node:events';
import type { Announcer, Unspoken as UnspokenOfLife } from '../lifecycle/contract/announcer.ts';
import type { HandoffEvents } from '../lifecycle/contract/events.ts';
import type { LostOutput } from '../process/output/standard-output.ts';
import { type Diagnostics, publish, publishEvent } from './diagnostics.ts';

/** What only the diagnostics channels tell. */
interface Unspoken extends UnspokenOfLife {
  'fd-handoff:output': LostOutput;
}

/** Tells the application, and whoever listens on `diagnostics_channel`, what happens. Nothing that they do stops it. */
export class Announcements implements Announcer {
  readonly #app: EventEmitter<HandoffEvents>;

  constructor(app: EventEmitter<HandoffEvents>) {
    this.#app = app;
  }

  /** For whoever watches, and nobody else. */
  publish<Name extends keyof Unspoken>(name: Name, message: Unspoken[Name]): void {
    publish(name, { handoff: this.#app, ...message } as Diagnostics<unknown>[Name]);
  }

  tell<Name extends Exclude<keyof HandoffEvents, 'error'>>(name: Name, ...[payload]: HandoffEvents[Name]): void {
    publishEvent(this.#app, name, payload);
    try {
      (this.#app as unknown as EventEmitter).emit(name, payload);
    } catch (error) {
      // A listener of the application must not decide over the service.
      this.report(error);
    }
  }

  /** For what nobody is told of by a rejection: the event 'error', or a process warning where nobody listens. */
  report(error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    publish('fd-handoff:error', { handoff: this.#app, error: failure });
    if (this.#app.listenerCount('error') === 0) {
      const { code = 'FD_HANDOFF_ERROR' } = failure as NodeJS.ErrnoException;
      process.emitWarning(failure.message, { type: 'HandoffWarning', code });
      return;
    }
    try {
      this.#app.emit('error', failure);
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
