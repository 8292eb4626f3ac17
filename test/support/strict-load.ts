import { expect } from 'vitest';
import { LoadClient } from '../../bench/load-client.ts';

/** Twenty clients that keep their connections and five that do not; every failure that a client can see counts. */
export class StrictLoad {
  readonly #loads: readonly LoadClient[];

  /** @param target a port, or the path of a socket */
  constructor(target: number | string, host = '127.0.0.1') {
    const where = typeof target === 'number' ? `http://${host}:${target}/` : `unix:${target}`;
    const loop = { kind: 'closed', pause: 20 } as const;
    this.#loads = [
      new LoadClient({ target: where, clients: 20, mode: 'keep-alive', loop }),
      new LoadClient({ target: where, clients: 5, mode: 'new-connection', loop }),
    ];
    for (const load of this.#loads) load.start();
  }

  /** Resolves when one of these processes has answered the clients of the one kind, and one of them those of the other. */
  async servedBy(...pids: number[]): Promise<void> {
    for (const load of this.#loads) {
      const answers = () => {
        const { servedBy } = load.snapshot().total;
        return pids.reduce((sum, pid) => sum + (servedBy[pid] ?? 0), 0);
      };
      await expect.poll(answers, { timeout: 30_000 }).toBeGreaterThan(0);
    }
  }

  /** Ends the load; nothing must have failed. Returns how many requests were answered. */
  async end(): Promise<number> {
    const reports = await Promise.all(this.#loads.map((load) => load.stop()));
    for (const { examples, total } of reports) {
      expect(examples).toEqual([]);
      expect(total.failed).toBe(0);
      expect(total.connections.closedUnannounced).toBe(0);
    }
    return reports.reduce((sum, { total }) => sum + total.requests, 0);
  }

  /**
   * Ends a load under which processes were killed. What such a process was in the middle of is cut, and counted; nobody
   * may have been refused, or left without an answer.
   */
  async endAfterCrashes(): Promise<{ requests: number; refused: number; cut: number }> {
    const reports = await Promise.all(this.#loads.map((load) => load.stop()));
    const sum = { requests: 0, refused: 0, cut: 0 };
    for (const { total } of reports) {
      const { failures } = total;
      const cut = failures.reset + failures['closed-before-answer'] + failures['closed-within-answer'];
      sum.requests += total.requests;
      sum.cut += cut;
      sum.refused += total.failed - cut;
    }
    return sum;
  }
}
