import { Deadline, untilAborted } from '../../channel/deadline.ts';
import { endFailed, type Meeting, successionOf } from '../../meeting/meeting.ts';
import { Mover } from '../../servers/index.ts';
import { type Mode, makeOffer, type OfferPhase, type Successor } from '../../transaction/predecessor.ts';
import type { UpgradeListener } from '../../transaction/visits/upgrade-answer.ts';
import { Attempt } from '../parts/attempt.ts';
import type { Parts } from '../parts/parts.ts';
import { answersOf } from './answers.ts';
import { passDebugger } from './debugger.ts';
import { DrainForSuccessor } from './drain-for-successor.ts';

/** How a successor comes, and what it is to be. */
export interface OfferPlan {
  readonly mode: Mode;
  /** Resolves with what brings the candidate, whose time starts only then. */
  readonly prepare: (signal: AbortSignal) => Promise<(signal: AbortSignal) => Promise<Meeting>>;
  /** The caller's own: calls the offer off. */
  readonly signal?: AbortSignal | undefined;
  /** Hears how far it is. */
  readonly listener?: UpgradeListener | undefined;
}

/**
 * One handoff, from its beginning to commit. Whatever goes wrong on the way, this process has served all the while and
 * serves on.
 */
export class Offer {
  readonly #parts: Parts;
  readonly #plan: OfferPlan;
  #meeting: Meeting | null = null;
  #successor: Successor | null = null;

  constructor(parts: Parts, plan: OfferPlan) {
    this.#parts = parts;
    this.#plan = plan;
  }

  /** Resolves with the successor's process id at commit. */
  async make(): Promise<number> {
    const { life, underway, service } = this.#parts;
    const { mode, prepare, signal, listener } = this.#plan;
    const attempt = new Attempt(signal);
    underway.attempt = attempt;
    service.offering(mode);
    try {
      const meet = await prepare(attempt.signal);
      const meeting = await this.#meet(meet, attempt.signal);
      // A shutdown that came while the newline was on its way has the last word.
      life.reach({ is: 'successor-ready', role: this.#roleOf(meeting) });
      // In the same turn as the commit: a moment later this process may have left.
      listener?.('done', meeting.pid);
      return meeting.pid;
    } catch (error) {
      const failure = await this.#rollBack(error);
      life.report({ is: 'offer-failed' });
      throw failure;
    } finally {
      attempt.end();
    }
  }

  async #meet(meet: (signal: AbortSignal) => Promise<Meeting>, signal: AbortSignal): Promise<Meeting> {
    const { settings, announcer, control, reopenings } = this.#parts;
    const { mode, listener } = this.#plan;
    // Files that are renamed from here on are perhaps the old ones in what it is given, its standard output included.
    const { count } = reopenings;
    using deadline = Deadline.after(settings.readyTimeout, 'The successor was not ready', signal);
    const meeting = await meet(deadline.signal);
    this.#meeting = meeting;
    const { pid } = meeting;
    const tell = (phase: OfferPhase) => {
      // It expects nothing but the offer before that.
      if (phase === 'state-sent' && meeting.how === 'channel') {
        const { channel, hello } = meeting.candidate;
        reopenings.join(channel.control, hello.features, count);
      }
      listener?.(phase, pid);
      announcer.tell('offer', { pid, mode, phase });
    };
    if (meeting.how === 'channel') {
      // One that comes while the control path is being opened is to have it all the same.
      await untilAborted(control.settled(), deadline.signal);
      await makeOffer(meeting.candidate, this.#contents(), deadline.signal, tell);
    } else tell('ready');
    return meeting;
  }

  #contents() {
    const { control, peers, generation, estate, settings } = this.#parts;
    const { mode } = this.#plan;
    const takesControl = mode === 'replace' || (mode === 'keep' && peers.heir === null);
    return {
      mode,
      generation,
      descriptors: [...estate.descriptors, ...(control.is === 'open' && takesControl ? control.named : [])],
      states: estate.states.entries,
      saveStates: () => estate.states.save('early'),
      readyTimeout: settings.readyTimeout,
    };
  }

  #roleOf(meeting: Meeting): 'replaces' | 'inherits-later' | 'shares' {
    if (this.#plan.mode === 'replace') return 'replaces';
    // One that knows nothing of this library cannot take a role over by itself.
    return this.#plan.mode === 'keep' && meeting.how === 'channel' ? 'inherits-later' : 'shares';
  }

  /** The successor owns from here on: it is told, and whoever else has to know. */
  handOver(): void {
    const { estate, underway, pidFile, service, settings, generations } = this.#parts;
    const meeting = this.#met();
    this.#detach(meeting);
    const successor = successionOf(meeting, (names) => estate.abandon(names));
    this.#successor = successor;
    const { takesConnections: takes } = successor;
    underway.mover =
      takes === 'none' ? null : new Mover((batch, received) => successor.sendConnections(batch, received), takes);
    // A program that knows nothing of this library knows nothing of the file either.
    if (meeting.how === 'ready') pidFile.bequeath(meeting.pid);
    service.committed(meeting);
    successor.committed(settings.drainTimeout, 'replace');
    successor.answer(answersOf(this.#parts));
    passDebugger(successor);
    generations.dismiss();
  }

  /** Begins the drain for the successor that this process has handed over to. */
  drain(): DrainForSuccessor {
    if (this.#successor === null) throw new Error('nothing was handed over');
    const drain = new DrainForSuccessor(this.#parts, { successor: this.#successor, pid: this.#met().pid });
    drain.begin();
    return drain;
  }

  tellCommit(): void {
    this.#parts.announcer.tell('commit', { pid: this.#met().pid, mode: this.#plan.mode });
  }

  /** A successor serves beside this process from here on. */
  standBeside(as: 'heir' | 'guest'): void {
    const { announcer, hooks, peers, service, life } = this.#parts;
    const { mode } = this.#plan;
    const meeting = this.#met();
    const { pid } = meeting;
    this.#detach(meeting);
    const successor = successionOf(meeting, () => {});
    successor.committed(0, mode);
    announcer.tell('commit', { pid, mode });
    announcer.inBackground(hooks.afterCommit({ pid, mode }));
    if (as === 'guest') {
      announcer.inBackground(successor.drained({}));
      return;
    }
    peers.heir = { successor, pid };
    service.besides(pid);
    void successor.leaving.then(() => {
      if (peers.heir?.successor === successor) life.report({ is: 'heir-leaving' });
    });
    void successor.departure.then(() => {
      peers.heir = null;
      life.report({ is: 'heir-left' });
    });
  }

  #met(): Meeting {
    if (this.#meeting === null) throw new Error('nobody has come');
    return this.#meeting;
  }

  #detach({ spawned, how }: Meeting): void {
    spawned?.detach({ library: how === 'channel' });
  }

  /** What is left to do when a handoff has failed; returns the error with everything that is known. */
  async #rollBack(error: unknown): Promise<Error> {
    const { estate, service, announcer } = this.#parts;
    const meeting = this.#meeting;
    let failure = error instanceof Error ? error : new Error(String(error));
    if (meeting?.how === 'channel') void meeting.candidate.channel.end();
    if (meeting !== null && meeting.spawned !== null) failure = await endFailed(meeting.spawned, failure);
    estate.reassert();
    service.rolledBack(failure);
    announcer.tell('rollback', { error: failure });
    return failure;
  }
}
