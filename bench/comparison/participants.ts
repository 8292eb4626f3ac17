/** Who takes part: a peer that this machine lacks is left out, and the results say why. */
import type { Absence, Case } from './benchmark.ts';

export class Participants {
  readonly cases: Case[] = [];
  readonly absent: Absence[] = [];

  /** Adds the cases that `make` returns; where it throws, the contender is absent with that reason. */
  async add(contender: string, make: () => readonly Case[] | Promise<readonly Case[]>): Promise<void> {
    try {
      this.cases.push(...(await make()));
    } catch (error) {
      const reason = (error as Error).message.split('\n')[0] ?? '';
      this.absent.push({ contender, reason });
    }
  }
}
