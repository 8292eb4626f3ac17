import type { Control } from '../../channel/control.ts';
import { Deadline, untilAborted } from '../../channel/deadline.ts';
import { type DrainingGeneration, type HasteOrder, readGenerations } from './draining-generation.ts';

/** What a peer says in `features` that can be asked what its drain waits for, and be told to hurry. */
export const drainsFeature = 'drains';

/** Who is at the other end of a line. */
export interface Drainer {
  readonly pid: number;
  readonly generation: number;
}

/** The connection to a process that drains, from the side of a later one: asks it, and passes orders on to it. */
export class DrainLine {
  readonly drainer: Drainer;
  /** Settles, and never rejects, when it is gone, or has hung up. */
  readonly gone: Promise<void>;
  readonly #control: Control;
  readonly #answers: boolean;
  readonly #asked = new Map<number, (generations: DrainingGeneration[]) => void>();
  #lastId = 0;

  /** @param features what it has said that it can do: an earlier version cannot be asked */
  constructor(control: Control, drainer: Drainer, features: readonly string[]) {
    this.#answers = features.includes(drainsFeature);
    this.drainer = drainer;
    this.#control = control;
    this.gone = control.closed;
    control.on('GENERATIONS', ({ payload }) => {
      this.#asked.get(payload.id as number)?.(readGenerations(payload.generations));
    });
  }

  /** It, and those before it that it knows of; where it does not answer within so many milliseconds, it alone, as silent. */
  async ask(timeout: number): Promise<DrainingGeneration[]> {
    if (!this.#answers) return [{ ...this.drainer, since: null, until: null, waitsFor: 'unasked' }];
    const id = ++this.#lastId;
    using deadline = Deadline.after(timeout, `Process ${this.drainer.pid} has not said what its drain waits for`);
    const answered = new Promise<DrainingGeneration[]>((resolve) => this.#asked.set(id, resolve));
    const gone = this.gone.then((): DrainingGeneration[] => []);
    this.#control.send('INQUIRE', { id });
    try {
      return await untilAborted(Promise.race([answered, gone]), deadline.signal);
    } catch {
      return [{ ...this.drainer, since: null, until: null, waitsFor: 'silent' }];
    } finally {
      this.#asked.delete(id);
    }
  }

  hasten({ pid, timeout }: HasteOrder): void {
    this.#control.send('HASTEN', { pid, timeout });
  }

  /** For one that has come by itself: it is to look for whoever serves now. */
  hangUp(): void {
    void this.#control.end();
  }
}
