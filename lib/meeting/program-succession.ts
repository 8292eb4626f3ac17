import type { Departure, Successor } from '../transaction/predecessor.ts';
import type { SpawnedSuccessor } from './spawned-successor.ts';

/**
 * A successor that has said "ready" on its descriptor and speaks nothing else: a shell script, a program in any
 * language. There is no connection to tell it anything by; its exit is all that is heard of it.
 */
export class ProgramSuccession implements Successor {
  readonly inheritsControl = false;
  readonly takesConnections = 'none';
  /** There is nothing by which it could say more than it has. */
  readonly settled = Promise.resolve();
  readonly departure: Promise<Departure>;
  readonly leaving: Promise<void>;

  constructor(program: SpawnedSuccessor) {
    // Exit code 0 is the one way in which a program can say that it meant to leave.
    this.departure = program.exited.then(({ code }) => (code === 0 ? 'released' : 'died'));
    this.leaving = this.departure.then(() => {});
  }

  committed(): void {}

  async lateStates(): Promise<void> {}

  async sendConnections(): Promise<Set<never>> {
    return new Set();
  }

  async drained(): Promise<void> {}

  answer(): void {}

  /** It was started with options of its own, where it is a Node at all. */
  passDebugger(): boolean {
    return false;
  }

  release(): void {}
}
