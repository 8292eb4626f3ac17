import { HandoffError } from '../fd/handoff-error.ts';
import { debuggerPort } from '../process/debugger-port.ts';
import { Arrival } from './activities/arrival.ts';
import type { DrainForSuccessor } from './activities/drain-for-successor.ts';
import { Leaving } from './activities/leaving.ts';
import { Offer, type OfferPlan } from './activities/offer.ts';
import { pause } from './activities/pausing.ts';
import { Renewal } from './activities/renewal.ts';
import { acceptLate, Return } from './activities/return.ts';
import type { ReexecOptions } from './contract/call-options.ts';
import type { DrainReport } from './contract/events.ts';
import type { LifeEvent } from './decision/event.ts';
import type { Order } from './decision/order.ts';
import type { Parts } from './parts/parts.ts';

/** Which activity carries out which order; and the activities that somebody has asked for, and waits for. */
export class Conductor {
  readonly #parts: Parts;
  readonly #arrival: Arrival;
  readonly #back: Return;
  readonly #leaving: Leaving;
  #arriving: Promise<void> = Promise.resolve();
  #offer: Offer | null = null;
  #renewal: Renewal | null = null;
  /** The last drain for a successor. */
  #handedOver: DrainForSuccessor | null = null;
  /** How long the next stop is announced, in milliseconds. */
  #notice = 0;

  /** @param settleClosed is called when this process has let go of everything */
  constructor(parts: Parts, settleClosed: (report: DrainReport) => void) {
    this.#parts = parts;
    this.#arrival = new Arrival(parts);
    this.#back = new Return(parts);
    this.#leaving = new Leaving(parts, settleClosed);
  }

  async arrive(): Promise<void> {
    this.#parts.life.report({ is: 'ready' });
    await this.#arriving;
  }

  async offer(plan: OfferPlan): Promise<number> {
    if (this.#isResuming) await this.#resumed();
    this.#parts.life.report({ is: 'offer' });
    this.#offer = new Offer(this.#parts, plan);
    return this.#offer.make();
  }

  async renew(options: ReexecOptions): Promise<never> {
    this.#parts.life.report({ is: 'renew' });
    this.#renewal = new Renewal(this.#parts);
    return this.#renewal.replace(options, this.#back);
  }

  async pause(): Promise<void> {
    if (this.#isResuming) await this.#resumed();
    this.#parts.life.report({ is: 'pause' });
  }

  async resume(): Promise<void> {
    this.#parts.life.report({ is: 'resume' });
    await this.#back.done();
  }

  /**
   * @param timeout how long the drain may take, in milliseconds; null: as the settings say
   * @param notice how long this process serves on before that, and says so
   */
  stop(timeout: number | null, notice: number): void {
    this.#notice = notice;
    this.#parts.life.report({ is: 'stop', notice: notice > 0 ? 'first' : 'none', terms: { timeout, idle: null } });
  }

  /** A moment passes between `resume()` and the service; what is wanted then is done after that. */
  get #isResuming(): boolean {
    const { state } = this.#parts.life;
    return state.is === 'paused' && state.next === 'resume';
  }

  #resumed(): Promise<void> {
    // It rejects for whoever has called it, where it was overtaken; what is wanted here finds out for itself.
    return this.#back.done().catch(() => {});
  }

  carryOut(order: Order, event: LifeEvent): void {
    if ('terms' in event) this.#leaving.within(event.terms);
    this.#activities[order](event);
  }

  /** Which activity carries out which order. */
  readonly #activities: { readonly [order in Order]: (event: LifeEvent) => void } = {
    'take-over': () => {
      this.#arriving = this.#arrival.takeOver();
    },
    'pass-rehearsal': () => {
      this.#arriving = this.#arrival.passRehearsal();
    },
    'settle-in': () => this.#arrival.settleIn(),
    'let-go-of-inheritance': () => this.#parts.estate.close(),
    'refuse-predecessor': (event) =>
      this.#parts.takeover?.abort(
        event.is === 'take-over-failed'
          ? event.error
          : new HandoffError('ERR_HANDOFF_ABORTED', 'The successor was told to shut down.'),
      ),
    'release-predecessor': () => this.#parts.peers.upstream?.takeover.release(),
    'hand-over': () => this.#offer?.handOver(),
    'release-heir': () => this.#parts.peers.heir?.successor.release(),
    'drain-for-successor': () => {
      this.#handedOver = this.#offer?.drain() ?? null;
    },
    'tell-commit': () => this.#offer?.tellCommit(),
    'stand-beside-heir': () => this.#offer?.standBeside('heir'),
    'stand-beside-guest': () => this.#offer?.standBeside('guest'),
    'forget-heir': () => this.#parts.service.besides(null),
    'call-off-attempt': () =>
      this.#parts.underway.attempt?.callOff(new HandoffError('ERR_HANDOFF_ABORTED', 'This process is shutting down.')),
    'accept-late': () => this.#parts.announcer.inBackground(acceptLate(this.#parts)),
    'accept-again': () => this.#back.acceptAgain(),
    'return-from-pause': () => this.#back.toService(() => this.#parts.announcer.tell('resume')),
    'return-from-drain': () =>
      this.#back.toService(() => this.#parts.announcer.tell('give-back', { pid: this.#handedOver?.pid ?? 0 })),
    'return-in-place': () => this.#back.toService(() => {}),
    'open-control': () => this.#parts.announcer.inBackground(this.#parts.control.open()),
    'close-control': () => this.#closeControl('close'),
    'inherit-service': () => this.#parts.service.inherit(),
    'write-pid-file': () => this.#parts.pidFile.write(),
    'take-back-debugger': () => debuggerPort.takeBack(),
    'write-pid-file-if-free': (event) =>
      this.#parts.pidFile.writeIfFree(
        event.is === 'predecessor-left' && event.how === 'died'
          ? (this.#parts.takeover?.predecessor.pid ?? null)
          : null,
      ),
    pause: () => pause(this.#parts),
    'tell-commit-in-place': () => this.#parts.announcer.tell('commit', { pid: process.pid, mode: 'replace' }),
    'take-back-survivors': () => this.#renewal?.takeBack(),
    'give-notice': () => this.#leaving.giveNotice(this.#notice),
    'stop-accepting': () => this.#stopAccepting('everything'),
    'stop-accepting-connections': () => this.#stopAccepting('connections'),
    'hasten-generations': () => this.#parts.generations.hasten({ pid: null, timeout: this.#leaving.timeout }),
    'close-listeners': () => this.#reportAll(this.#parts.estate.closeListeners('close')),
    'remove-listeners': () => {
      this.#reportAll(this.#parts.estate.closeListeners('remove'));
      this.#closeControl('remove');
    },
    'withdraw-listeners': () => this.#reportAll(this.#parts.estate.withdraw()),
    'call-handoff-hooks': () => this.#parts.drainHooks.begin('handoff'),
    'call-shutdown-hooks': () => this.#parts.drainHooks.begin('shutdown'),
    drain: () => this.#leaving.drain(),
    'drain-called-off': () => this.#leaving.drainCalledOff(),
    'drain-what-is-left': () => this.#leaving.drainWhatIsLeft(),
    'shorten-drain': () => this.#parts.clock.stopWithin(this.#leaving.timeout),
    hurry: () => this.#parts.clock.shorten(this.#parts.settings.shutdownTimeout),
    'watch-sharers': () => this.#leaving.watchSharers(),
    leave: () => this.#leaving.leave(this.#handedOver?.result ?? null),
  };

  #stopAccepting(what: 'everything' | 'connections'): void {
    this.#parts.estate.stopAccepting(what);
    this.#parts.control.leave();
    this.#parts.draining.abort('draining');
  }

  #closeControl(how: 'close' | 'remove'): void {
    this.#parts.control.closeOrReport(how, (error) => this.#parts.announcer.report(error));
  }

  #reportAll(failures: readonly unknown[]): void {
    for (const failure of failures) this.#parts.announcer.report(failure);
  }
}
