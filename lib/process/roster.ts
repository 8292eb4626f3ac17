import { HandoffError } from '../fd/handoff-error.ts';
import { placeOfPath } from '../transaction/path/control-path.ts';

/** One `Handoff`, as the others of its process need to know it. */
export interface Member {
  /** Whether it acts on signals. */
  readonly listens: boolean;
  /** Whether the process is to leave when it is drained. */
  readonly exits: boolean;
  /** Whether it serves, or is about to: what it has is nobody else's yet. */
  readonly owns: () => boolean;
  /** Where it is reached; null where it is not. */
  readonly control: string | null;
}

/**
 * The `Handoff`s of a process, in the order of their `handoff()` calls. What concerns the process as a whole is decided
 * here: a signal that replaces it must start one successor and not one for each, and the first that is drained must not
 * end it under the others.
 */
export class Roster {
  /** One that has left stays as long as the process is to leave with it: the order is what a successor goes by. */
  readonly #memberships: Membership[] = [];
  /** The control paths of the calls of `handoff()` that have not come to a result. */
  readonly #pending: (string | null)[] = [];
  #exitCode: number | null = null;
  #whenChanged: (() => void)[] = [];

  /** Which one of this process the next call of `handoff()` will be, from 0. */
  get next(): number {
    return this.#memberships.length + this.#pending.length;
  }

  /**
   * A call of `handoff()` begins: which one of this process it is, from 0. It ends by `join` or `giveUp`.
   *
   * @throws ERR_HANDOFF_ALREADY_OWNED where this process is at that control path: it would take over from itself, or wait
   *   for itself
   */
  begin(control: string | null): number {
    const serving = this.#memberships.filter(({ is, member }) => is === 'present' && member.owns());
    const taken = [...this.#pending, ...serving.map(({ member }) => member.control)];
    if (control !== null && taken.some((path) => path !== null && placeOfPath(path) === placeOfPath(control))) {
      throw new HandoffError(
        'ERR_HANDOFF_ALREADY_OWNED',
        `handoff() was called twice in process ${process.pid} with the control path ${control}, where one process takes over from another: use the Handoff of the first call, or give each call a path of its own.`,
      );
    }
    const ordinal = this.next;
    this.#pending.push(control);
    return ordinal;
  }

  giveUp(control: string | null): void {
    const index = this.#pending.indexOf(control);
    if (index !== -1) this.#pending.splice(index, 1);
  }

  join(member: Member): Membership {
    this.giveUp(member.control);
    const membership = new Membership(this, member);
    this.#memberships.push(membership);
    return membership;
  }

  /** @internal */
  ordinalOf(membership: Membership): number {
    return this.#memberships.indexOf(membership);
  }

  /** @internal The first that could do it: one that hands over already has given that away. */
  leads(membership: Membership): boolean {
    const able = this.#memberships.filter(({ member }) => member.listens && member.owns());
    // Where nobody could, the first says why not.
    return (able[0] ?? this.#memberships.find(({ member }) => member.listens)) === membership;
  }

  /** @internal */
  othersOf(membership: Membership): readonly Member[] {
    return this.#memberships
      .filter((other) => other !== membership && other.is === 'present')
      .map(({ member }) => member);
  }

  /** @internal */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#whenChanged.push(resolve));
  }

  /** @internal */
  noteChange(): void {
    const waiting = this.#whenChanged;
    this.#whenChanged = [];
    for (const resolve of waiting) resolve();
  }

  /** @internal */
  depart(membership: Membership, exitCode: number | null): number | null {
    if (!membership.member.exits) this.#memberships.splice(this.ordinalOf(membership), 1);
    if (exitCode !== null) this.#exitCode = Math.max(this.#exitCode ?? 0, exitCode);
    this.noteChange();
    const staying = this.#memberships.some(({ is, member }) => is === 'present' && member.exits);
    return staying ? null : this.#exitCode;
  }
}

/** The place of one `Handoff` among those of its process. */
export class Membership {
  readonly member: Member;
  readonly #roster: Roster;
  #is: 'present' | 'left' = 'present';

  /** @internal Use `Roster.join()`. */
  constructor(roster: Roster, member: Member) {
    this.#roster = roster;
    this.member = member;
  }

  get is(): 'present' | 'left' {
    return this.#is;
  }

  /** Which one of the process it is, from 0. In a successor the same call of `handoff()` takes over from it. */
  get ordinal(): number {
    return this.#roster.ordinalOf(this);
  }

  /** Whether it is the one that acts on a signal which concerns the process as a whole. */
  get leads(): boolean {
    return this.#roster.leads(this);
  }

  /** Whether there are others that have not left. */
  get hasCompany(): boolean {
    return this.#roster.othersOf(this).length > 0;
  }

  /** Resolves when none of the others that the process waits for owns anything any more. */
  async othersHandedOver(): Promise<void> {
    while (this.#roster.othersOf(this).some(({ exits, owns }) => exits && owns())) await this.#roster.changed();
  }

  /** What it owns may have changed. */
  noteChange(): void {
    this.#roster.noteChange();
  }

  /**
   * It has left. Returns the code to end the process with, or null where that stays: others have not left yet.
   *
   * @param exitCode null where the process is not to end for its sake
   */
  depart(exitCode: number | null): number | null {
    this.#is = 'left';
    return this.#roster.depart(this, exitCode);
  }
}

/** Those of this process. */
export const roster = new Roster();
