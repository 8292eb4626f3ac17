import { isLeaving } from '../decision/state.ts';
import type { Parts } from '../parts/parts.ts';

/** Accepts on what was registered while something else was under way; not where a stop has come since. */
export async function acceptLate({ life, estate, announcer, service }: Parts): Promise<void> {
  if (isLeaving(life.state)) return;
  for (const failure of await estate.acceptWaiting()) announcer.report(failure);
  service.keep();
}

/** The way back to the service, from a pause, a drain or a re-exec that has come to nothing. */
export class Return {
  readonly #parts: Parts;
  #accepting: Promise<void> = Promise.resolve();
  #returned: Promise<void> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Resolves when this process serves as before; rejects where it was told otherwise meanwhile. */
  async done(): Promise<void> {
    await this.#accepting;
    await this.#returned;
  }

  acceptAgain(): void {
    this.#accepting = this.#acceptAgain();
    // Whoever asked for it waits for `done()`; nobody else is told of what overtook it.
    this.#accepting.catch(() => {});
  }

  /** On doubt everywhere it can. */
  async #acceptAgain(): Promise<void> {
    const { underway, draining, signals, estate, announcer, life } = this.#parts;
    await underway.pause?.end();
    underway.pause = null;
    draining.renew();
    signals?.forgetOrders();
    estate.reassert();
    for (const failure of await estate.acceptAgain()) announcer.report(failure);
    life.reach({ is: 'accepts-again' });
  }

  /** @param tell is called when it is done, unless it was told to stop meanwhile */
  toService(tell: () => void): void {
    this.#returned = this.#toService(tell);
  }

  async #toService(tell: () => void): Promise<void> {
    const { drainHooks, control, announcer, life } = this.#parts;
    drainHooks.stay();
    await control.open().catch((error) => announcer.report(error));
    await acceptLate(this.#parts);
    if (!isLeaving(life.state)) tell();
  }
}
