import { abortReason, Deadline } from '../../channel/deadline.ts';
import { isClusterWorker } from '../../cluster/pool-membership.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import { debuggerPort } from '../../process/debugger-port.ts';
import { controlName, type ManifestEntry } from '../../transaction/manifest.ts';
import type { SavedState } from '../../transaction/state.ts';
import type { PredecessorEnd, Retirement, Takeover } from '../../transaction/successor.ts';
import { isLeaving, mayAdopt, standsBeside } from '../decision/state.ts';
import {
  requireClaims,
  warnOfNothingRegistered,
  warnOfUnclaimed,
  warnOfUnclaimedPassed,
} from '../parts/offered-listeners.ts';
import type { Parts } from '../parts/parts.ts';
import { adopt, adoptAll } from './adoption.ts';
import { acceptLate } from './return.ts';

/**
 * How much longer than its own deadline a predecessor may take to answer the newline. It answers at once, or its
 * deadline expires and it says ABORT; a predecessor that does neither is stopped, and will find the connection closed.
 */
const decisionGrace = 1_000;

/** `ready()`: from what was registered to the service. */
export class Arrival {
  readonly #parts: Parts;
  /** What this process was given and has no use for. */
  #unclaimed: readonly ManifestEntry[] = [];
  #settled: Promise<void> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Accepts on everything, writes the newline, and resolves when this process has settled in. */
  async takeOver(): Promise<void> {
    const { takeover, survival, estate, pidFile, life, closed, stderr } = this.#parts;
    try {
      if (takeover?.calledOff.aborted === true) throw abortReason(takeover.calledOff);
      // Before anything is accepted: who connects must not get to a process that is no successor.
      this.#requireClaims();
      await estate.accept();
      life.reach({ is: 'accepted' });
      // The decision closes what nobody took.
      this.#unclaimed = this.#findUnclaimed();
      const decision = takeover === null ? 'committed' : await this.#decide(takeover);
      if (takeover === null) {
        if (survival === null) pidFile.start();
        else pidFile.write();
      }
      life.reach({ is: 'took-over', decision });
    } catch (error) {
      if (life.report({ is: 'take-over-failed', error })) {
        await closed;
        // It reports what fails here with the end of that.
        stderr?.restore('the predecessor');
      }
      throw error;
    }
    await this.#settled;
  }

  /** This process is what it came to be: what it was given is its own, and whoever waits for it is told. */
  settleIn(): void {
    this.#settled = this.#settle();
  }

  async #settle(): Promise<void> {
    const { estate, survival, passed, stderr, takeover, service, announcer, control, life } = this.#parts;
    for (const failure of estate.claim()) announcer.report(failure);
    adoptAll(this.#parts, survival?.takeConnections() ?? []);
    if (survival?.debugger) debuggerPort.open(survival.debugger);
    survival?.[Symbol.dispose]();
    warnOfUnclaimedPassed(passed?.unclaimed ?? []);
    passed?.[Symbol.dispose]();
    stderr?.restore('here');
    // Beside an owner the control path is that one's. Without it a process still serves, so this failing is no reason to
    // give the service up.
    if (!standsBeside(life.state)) await control.open().catch((error) => announcer.report(error));
    // A stop that came meanwhile has told what there is to tell: a service that ends is not ready.
    if (isLeaving(life.state)) return;
    service.ready(takeover === null || takeover.mode === 'replace', this.#unclaimed);
    await acceptLate(this.#parts);
  }

  /** This version starts: the process says so, and ends; it never resolves. */
  passRehearsal(): Promise<never> {
    const { rehearsal } = this.#parts;
    if (rehearsal === null) throw new Error('this is no rehearsal');
    try {
      this.#requireClaims();
    } catch (error) {
      rehearsal.fail(error as HandoffError);
      throw error;
    }
    return rehearsal.succeed();
  }

  /** Throws unless this process serves what it is to serve; warns where it serves nothing and nobody had anything for it. */
  #requireClaims(): void {
    const { offered, estate, settings, takeover, survival } = this.#parts;
    if (offered !== null && offered.offered.length > 0) {
      estate.takeRest();
      requireClaims(offered, estate, settings.unclaimed);
    } else if (takeover?.mode !== 'share' && survival === null) warnOfNothingRegistered(estate);
  }

  /** Beside an owner everything is still of use to that. */
  #findUnclaimed(): ManifestEntry[] {
    const { takeover, survival, passed } = this.#parts;
    return [
      ...(takeover?.mode === 'replace' ? takeover.unclaimed : []),
      ...(survival?.unclaimed ?? []),
      ...(passed?.unclaimed ?? []),
    ];
  }

  /** Writes the newline, waits for the predecessor's word, and settles with it. */
  async #decide(takeover: Takeover): Promise<'committed' | 'orphaned'> {
    const { settings, control, pidFile, peers, generations } = this.#parts;
    using deadline = Deadline.after(
      settings.readyTimeout + decisionGrace,
      'The predecessor answered the ready pipe with neither COMMITTED nor ABORT',
    );
    const decision = await takeover.announceReady(deadline.signal);
    const inherited = takeover.take(controlName);
    if (inherited !== null) control.inherit(inherited);
    if (decision === 'orphaned') {
      if (isClusterWorker()) {
        throw new HandoffError(
          'ERR_HANDOFF_PREDECESSOR_EXITED',
          'The primary of this worker ended before its ready().',
        );
      }
      await this.#mustBeAlone();
    }
    // Before the predecessor is told that it may leave, so that the file never names a process that is gone.
    if (takeover.mode === 'share') pidFile.writeIfFree(null);
    else if (takeover.mode === 'replace' || decision === 'orphaned') pidFile.write();
    warnOfUnclaimed(takeover);
    let leave = () => {};
    const gone = new Promise<void>((resolve) => {
      leave = resolve;
    });
    if (decision === 'committed') peers.upstream = { takeover, gone };
    if (takeover.mode === 'replace') generations.add(takeover.drainLine());
    this.#listen(takeover, decision, leave);
    return decision;
  }

  #listen(takeover: Takeover, decision: 'committed' | 'orphaned', leave: () => void): void {
    const { life, estate, announcer, peers } = this.#parts;
    takeover.settle({
      onConnection: (connection) => mayAdopt(life.state) && adopt(this.#parts, connection),
      onLateState: (state: SavedState) => estate.states.restoreLate(state).catch((error) => announcer.report(error)),
      onDebugger: (address) => debuggerPort.open(address),
      // It can come in one piece with COMMITTED: ready() resolves first, or a worker that did its part would fail by that.
      onRetire: (retirement) => setImmediate(() => this.#retire(retirement)),
      onEnd: (end) => {
        leave();
        peers.upstream = null;
        if (decision === 'committed') this.#predecessorLeft(end);
      },
    });
  }

  #predecessorLeft(end: PredecessorEnd): void {
    const { life, settings } = this.#parts;
    // Nobody serves with a worker any more whose primary is gone.
    if (isClusterWorker()) {
      life.report({ is: 'stop', notice: 'none', terms: { timeout: settings.shutdownTimeout, idle: null } });
    }
    life.report({ is: 'predecessor-left', how: end.how });
  }

  /** The primary wants this worker to leave. */
  #retire({ timeout, idle }: Retirement): void {
    const { life, estate } = this.#parts;
    // It may be leaving by a signal already, which went to the primary as well: only that knows that nobody serves on.
    if (idle !== null) setTimeout(() => estate.closeIdle(), idle).unref();
    life.report({ is: 'retire', terms: { timeout, idle: idle ?? Number.POSITIVE_INFINITY } });
  }

  /**
   * The predecessor is gone without a word. If only the connection is, and it serves on, or if the one before it serves
   * again, then that process is the owner: nobody else accepts on the control path before this one does.
   */
  async #mustBeAlone(): Promise<void> {
    const path = await this.#parts.control.answeredAt();
    if (path === null) return;
    throw new HandoffError(
      'ERR_HANDOFF_ABORTED',
      `The connection to the predecessor broke before it had committed, and a process serves on ${path}: that one stays the owner.`,
    );
  }
}
