import { isClusterWorker, leaveWithPrimary } from '../cluster/pool-membership.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import type { Adopter, Estate, Mover, Receiver, Served } from '../servers/index.ts';
import type { SignalOrder } from '../signals/signals.ts';
import type { DrainingGeneration } from '../transaction/drains/draining-generation.ts';
import type { Reopenings } from '../transaction/reopenings.ts';
import type { UpgradeListener } from '../transaction/visits/upgrade-answer.ts';
import { ownGeneration } from './activities/answers.ts';
import { spawning } from './activities/launching.ts';
import type { OfferPlan } from './activities/offer.ts';
import { receive } from './activities/reception.ts';
import { assemble, type SuccessionOptions, standardErrorOf } from './assembly.ts';
import { Conductor } from './conductor.ts';
import type { ReexecOptions, ShutdownOptions, UpgradeOptions } from './contract/call-options.ts';
import type { DrainReport } from './contract/events.ts';
import { isServed, isUndecided, type PhaseName } from './decision/state.ts';
import type { PhaseChange } from './decision/transitions.ts';
import type { DrainHook } from './parts/drain-hooks.ts';
import { requireRegistering } from './parts/guards.ts';
import type { Life } from './parts/life.ts';
import type { Parts } from './parts/parts.ts';
import { ReadyReminder } from './parts/ready-reminder.ts';
import { type HandoffStatus, statusOf } from './parts/status.ts';
import { actOnSignal, replaces, type Signalled } from './signal-actions.ts';

/** One process's part in the succession of servers, as the application calls it. */
export class Succession {
  /** Settles, and never rejects, when this process is drained. */
  readonly closed: Promise<DrainReport>;

  readonly #parts: Parts;
  readonly #conductor: Conductor;
  readonly #reminder: ReadyReminder;

  constructor(options: SuccessionOptions) {
    let settleClosed: (report: DrainReport) => void = () => {};
    this.closed = new Promise((resolve) => {
      settleClosed = resolve;
    });
    this.#parts = assemble(options, {
      onPhase: (change) => this.#onPhase(change),
      carryOut: (order, event) => this.#conductor.carryOut(order, event),
      onVisitor: (visitor) => void receive(this.#parts, visitor, this.#hosting),
      closed: this.closed,
    });
    this.#conductor = new Conductor(this.#parts, settleClosed);
    this.#reminder = new ReadyReminder(() => this.estate.size);
    const { takeover, stderr, settings } = this.#parts;
    // A worker is nobody's without its primary: nobody serves with it any more.
    if (isClusterWorker()) leaveWithPrimary(() => this.#conductor.stop(settings.shutdownTimeout, 0));
    void takeover?.predecessorLost.then(() => stderr?.restore('here'));
    takeover?.calledOff.addEventListener('abort', () => this.#life.report({ is: 'called-off' }), { once: true });
  }

  get #life(): Life {
    return this.#parts.life;
  }

  get generation(): number {
    return this.#parts.generation;
  }

  get predecessor(): Parts['predecessor'] {
    return this.#parts.predecessor;
  }

  /** What this process serves, and has for its successor. */
  get estate(): Estate {
    return this.#parts.estate;
  }

  /** Passes on that log files were renamed. */
  get reopenings(): Reopenings {
    return this.#parts.reopenings;
  }

  get phase(): PhaseName {
    return this.#life.state.is;
  }

  get draining(): AbortSignal {
    return this.#parts.draining.current;
  }

  get isRehearsal(): boolean {
    return this.#parts.rehearsal !== null;
  }

  /** Whether clients are served, by this process or by another one in its place. */
  get isServed(): boolean {
    return isServed(this.#life.state);
  }

  /** The descriptor of the standard error that is meant: until commit 2 may lead to the predecessor. */
  get standardError(): number {
    return standardErrorOf(this.#parts);
  }

  /** Takes connections while this process drains for another: null where that can take none. */
  get mover(): Mover | null {
    return this.#parts.underway.mover;
  }

  status(): HandoffStatus {
    const { generation, predecessor, phase, estate } = this;
    const { settings, generations } = this.#parts;
    const draining = [...ownGeneration(this.#parts), ...generations.known];
    return statusOf({ generation, predecessor, phase, control: settings.control, estate, draining });
  }

  /** As `Handoff.drainingGenerations()`. */
  async drainingGenerations(): Promise<DrainingGeneration[]> {
    return [...(await this.#parts.generations.ask()), ...ownGeneration(this.#parts)];
  }

  /** Adds a hook that is awaited before the process leaves. */
  onClose(hook: () => void | Promise<void>): void {
    this.#parts.closeHooks.push(hook);
  }

  /** Adds a hook that is called when this process begins to leave. */
  onDrain(hook: DrainHook): void {
    this.#parts.drainHooks.add(hook);
  }

  /** Does what a signal orders, by the methods of `app`. */
  onSignal(order: SignalOrder, app: Signalled): boolean | Promise<boolean> {
    const { rehearsal, membership, announcer, service, reopenings } = this.#parts;
    if (rehearsal !== null) return rehearsal.onSignal(order.action);
    return actOnSignal(order, app, {
      paused: this.phase === 'paused',
      leads: membership.leads,
      reopen: (signal) => reopenings.order(signal),
      report: (error) => {
        if (replaces(order)) service.declined(error);
        announcer.report(error);
      },
    });
  }

  // ---- what the application wants ----

  /** As `Handoff.ready()`. */
  ready(): Promise<void> {
    return this.#conductor.arrive();
  }

  /**
   * As `Handoff.upgrade()`, with options that were checked.
   *
   * @param listener hears how far it is
   */
  upgrade(options: UpgradeOptions, listener?: UpgradeListener): Promise<number> {
    return this.#conductor.offer({
      mode: options.keep === true ? 'keep' : 'replace',
      prepare: (signal) => spawning(this.#parts, options, signal),
      signal: options.signal,
      listener,
    });
  }

  /** As `Handoff.reexec()`, with options that were checked. */
  async reexec(options: ReexecOptions): Promise<never> {
    if (this.phase === 'serving' && this.#parts.membership.hasCompany) {
      throw new HandoffError(
        'ERR_HANDOFF_BUSY',
        'reexec() replaces the whole process, and would take its other handoffs along without handing them over: call their shutdown() first, or use upgrade().',
      );
    }
    return this.#conductor.renew(options);
  }

  /** As `Handoff.shutdown()`, with options that were checked. */
  async shutdown({ delay = this.#parts.settings.shutdownDelay, timeout }: ShutdownOptions = {}): Promise<DrainReport> {
    this.#conductor.stop(timeout ?? null, delay);
    return this.closed;
  }

  /** As `Handoff.hammer()`. */
  hammer(): void {
    this.#parts.announcer.inBackground(this.shutdown({ timeout: 0, delay: 0 }));
  }

  /** As `Handoff.pause()`. */
  pause(): Promise<void> {
    return this.#conductor.pause();
  }

  /** As `Handoff.resume()`. */
  resume(): Promise<void> {
    return this.#conductor.resume();
  }

  /**
   * Resolves when something can be registered: in the middle of an offer that is over first, because the successor has
   * got its list of what there is. An offer that waits for this, in a hook of its own, waits until its deadline.
   *
   * @throws ERR_HANDOFF_NOT_READY where this process does not serve on
   */
  async registering(what: string): Promise<void> {
    while (isUndecided(this.#life.state)) await this.#life.changed();
    requireRegistering(this.#life.state, what);
  }

  /** As `Handoff.connections()`: an offer says nothing of routes, so that it has not to be waited for. */
  adopter(route: string, adopt: Adopter): void {
    if (!isUndecided(this.#life.state)) requireRegistering(this.#life.state, 'connections');
    this.estate.moved.adopter(route, adopt);
  }

  /**
   * A late one is served at once, as with `server.listen()`; one that comes in the middle of something else when that is
   * over.
   */
  async begin<Registered extends Served | Receiver>(what: string, registered: Registered): Promise<Registered> {
    try {
      if (this.phase === 'serving') {
        await registered.accept();
        this.#parts.service.keep();
      } else if (!isUndecided(this.#life.state)) {
        requireRegistering(this.#life.state, what);
      }
      return registered;
    } catch (error) {
      // Who connects would wait in a queue that nobody serves.
      this.estate.discard(registered);
      throw error;
    }
  }

  // ---- what others are told ----

  /** What visitors of the control path can have this process do. */
  readonly #hosting = {
    status: async () => ({ ...this.status(), draining: await this.drainingGenerations() }),
    hammer: () => this.hammer(),
    upgrade: (listener: UpgradeListener) => this.upgrade({}, listener),
    offer: (plan: OfferPlan) => this.#conductor.offer(plan),
  };

  #onPhase(change: PhaseChange): void {
    const { membership, service, announcer } = this.#parts;
    this.#reminder[Symbol.dispose]();
    membership.noteChange();
    service.entered(change.from, change.to);
    announcer.publish('fd-handoff:phase', change);
  }
}
