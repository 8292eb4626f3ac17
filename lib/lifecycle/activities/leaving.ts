import { setTimeout as delay } from 'node:timers/promises';
import { Deadline, untilAborted } from '../../channel/deadline.ts';
import { debuggerPort } from '../../process/debugger-port.ts';
import { leave } from '../../process/leave.ts';
import type { DrainReport } from '../contract/events.ts';
import type { StopTerms } from '../decision/event.ts';
import { isAlone, isGuest, standsBeside } from '../decision/state.ts';
import type { Parts } from '../parts/parts.ts';
import { passDebugger } from './debugger.ts';
import { Drain, type DrainPlan, type DrainResult, halfSentGrace, patientLimits } from './drain.ts';

/**
 * How long idle connections may stay at a shutdown, in milliseconds. A request that was on the wire when the listener
 * closed arrives within a round trip; a second covers the slow ones, and keeps Ctrl-C short. At a replacement they
 * may stay for their whole keep-alive timeout: nobody waits for the predecessor's end.
 */
const shutdownIdleGrace = 1_000;

/** The end of this process: what is in flight is finished, what was promised is kept, what is held is let go of. */
export class Leaving {
  readonly #parts: Parts;
  readonly #settleClosed: (report: DrainReport) => void;
  /** What the stop that is carried out allows. */
  #terms: StopTerms = { timeout: null, idle: null };
  #result: DrainResult | null = null;

  constructor(parts: Parts, settleClosed: (report: DrainReport) => void) {
    this.#parts = parts;
    this.#settleClosed = settleClosed;
  }

  /** What is ordered from now on is ordered by a stop with these terms. */
  within(terms: StopTerms): void {
    this.#terms = terms;
  }

  /** How long the drain of the stop may take, in milliseconds. */
  get timeout(): number {
    const { settings, life } = this.#parts;
    return this.#terms.timeout ?? (isAlone(life.state) ? settings.shutdownTimeout : settings.drainTimeout);
  }

  /** Says that this process is about to stop, and serves on for so many milliseconds. */
  giveNotice(notice: number): void {
    const terms = this.#terms;
    void delay(notice).then(() => this.#parts.life.report({ is: 'notice-over', terms }));
  }

  /** Finishes what is in flight, and leaves. */
  drain(): void {
    const idle = this.#terms.idle ?? (isAlone(this.#parts.life.state) ? shutdownIdleGrace : Number.POSITIVE_INFINITY);
    this.#run({ reason: 'shutdown', limits: { idle, halfSent: halfSentGrace }, total: this.timeout });
  }

  /** The predecessor serves, but whoever has started this process waits to hear that it has failed. */
  drainCalledOff(): void {
    const { shutdownTimeout } = this.#parts.settings;
    this.#run({ reason: 'called-off', limits: patientLimits(shutdownTimeout), total: shutdownTimeout });
  }

  /** The successor of one that was told to stop is gone: there is as much time as there was. */
  drainWhatIsLeft(): void {
    const limits = { idle: shutdownIdleGrace, halfSent: halfSentGrace };
    this.#run({ reason: 'shutdown', limits, total: Math.min(this.#parts.clock.leftOfStop, this.timeout) });
  }

  /**
   * Those that share are told by nobody that the others leave as well, as when a supervisor stops all of them: whether
   * anybody is left is asked when half of the time is over that there would be then.
   */
  watchSharers(): void {
    const { settings, life, peers, control, clock, announcer } = this.#parts;
    const half = settings.shutdownTimeout / 2;
    const look = async () => {
      if (!standsBeside(life.state) && peers.heir === null && (await control.answeredAt()) === null) {
        clock.shorten(half);
      }
    };
    setTimeout(() => announcer.inBackground(look()), half).unref();
  }

  #run(plan: DrainPlan): void {
    const { underway, announcer, life } = this.#parts;
    const run = async () => {
      await underway.pause?.end();
      underway.pause = null;
      this.#result = await new Drain(this.#parts, plan, null).run();
      life.report({ is: 'drained' });
    };
    announcer.inBackground(run());
  }

  /** Nothing is in flight any more: `handedOver` tells how it went where that was for a successor. */
  leave(handedOver: DrainResult | null): void {
    const result = handedOver ?? this.#result;
    if (result === null) throw new Error('nothing was drained');
    this.#parts.announcer.inBackground(this.#leave(result));
  }

  async #leave({ report, cutOff, successor }: DrainResult): Promise<void> {
    const { announcer, service, peers, pidFile, life } = this.#parts;
    announcer.tell('drain', report);
    await this.#callHooks();
    await service.leave();
    const { heir } = peers;
    // Asked before they are told: they hang up then.
    const heirs = [successor, heir].filter((one) => one !== null);
    // While this process lives: nobody is ever to read the number of one that does not. A successor has named itself, unless
    // it could not, or has no PID file: the file of a service that goes on is not removed, whoever could not write it.
    const [next] = heirs;
    if (next !== undefined) pidFile.bequeath(next.pid);
    if (successor === null && heir !== null) passDebugger(heir.successor);
    for (const one of heirs) await one.successor.drained({ ...report });
    const guest = isGuest(life.state);
    // A predecessor that still drains must have read that it is not to step in.
    await peers.upstream?.takeover.leave();
    // With an heir even what could not be bequeathed stays: an old number is better than none.
    if (next === undefined) pidFile.remove();
    this.#letGo(
      heirs.length === 0 && !guest ? 'remove' : 'close',
      guest || heirs.some((one) => one.successor.inheritsControl),
    );
    if (report.forced > 0) {
      process.emitWarning(
        `${report.forced} connection(s) were cut off with something unfinished after ${report.duration} ms of draining: ${cutOff}.`,
        { type: 'HandoffWarning', code: 'FD_HANDOFF_FORCED' },
      );
    }
    this.#settleClosed(report);
    await this.#exit(report);
  }

  async #callHooks(): Promise<void> {
    const { closeHooks, announcer, signals, settings } = this.#parts;
    const hooks = closeHooks.map((hook) =>
      Promise.resolve()
        .then(hook)
        .catch((error) => announcer.report(error)),
    );
    // Those after the signal that has ended this process as well.
    const done = Promise.all([...hooks, signals?.hooksDone()]);
    using deadline = Deadline.after(settings.closeTimeout, 'The onClose hooks were not done');
    await untilAborted(done, deadline.signal).catch((error) => announcer.report(error));
  }

  /**
   * Closes everything that is held. Socket files are removed only where nobody is left to serve on them: of the
   * listeners where `how` says so, of the control path where it is open and nobody inherits it.
   */
  #letGo(how: 'close' | 'remove', controlIsInherited: boolean): void {
    const { settings, signals, survival, passed, estate, announcer, control } = this.#parts;
    // A process that leaves keeps its listeners for signals: without them the next SIGTERM would kill it, and it has left
    // in good order.
    if (!settings.exit) signals?.[Symbol.dispose]();
    survival?.[Symbol.dispose]();
    passed?.[Symbol.dispose]();
    for (const failure of estate[how]()) announcer.report(failure);
    control.closeOrReport(controlIsInherited ? 'close' : 'remove', (error) => announcer.report(error));
  }

  async #exit(report: DrainReport): Promise<void> {
    const { settings, membership, life } = this.#parts;
    const { state } = life;
    const told = state.is === 'left' && state.told;
    // A process whose `ready()` has failed is ended by whoever called that, unless it was told to stop besides.
    const leaves = settings.exit && (report.reason !== 'called-off' || told);
    const ownCode = report.reason === 'shutdown' && report.forced > 0 ? 1 : 0;
    const exitCode = membership.depart(leaves ? ownCode : null);
    // Nothing is left that an attached debugger could keep waiting.
    if (!membership.hasCompany) debuggerPort.close();
    if (exitCode !== null) await leave(exitCode);
  }
}
