import { OwnedFd } from '../../fd/owned-fd.ts';
import type { Arriving, Departing } from '../../transaction/connection-transfer.ts';

/**
 * Connections that stay in this process while its program is replaced: each is a descriptor, and what the next program
 * has to know of it. To whoever moves connections this is a successor that adopts every one of them.
 */
export class Survivors {
  #connections: Arriving[] = [];
  #fate: 'staying' | 'given-back' = 'staying';

  get connections(): readonly Arriving[] {
    return this.#connections;
  }

  async send(batch: readonly Departing[]): Promise<Set<Departing>> {
    const held = new Set<Departing>();
    if (this.#fate === 'given-back') return held;
    for (const departing of batch) {
      try {
        const { route, fd, head, data } = departing;
        // A copy: the server closes its own when it hears that the connection has left.
        this.#connections.push({ route, descriptor: OwnedFd.dup(fd, `a connection of "${route}"`), head, data });
        held.add(departing);
      } catch {
        // At the limit of descriptors: what does not fit drains.
      }
    }
    return held;
  }

  /** Gives them back, where there is no next program after all. */
  release(): readonly Arriving[] {
    const connections = this.#connections;
    this.#connections = [];
    this.#fate = 'given-back';
    return connections;
  }
}
