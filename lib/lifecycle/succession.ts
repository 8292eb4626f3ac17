import { isClusterWorker, leaveWithPrimary } from '../cluster/pool-membership.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import type { Found } from '../meeting/predecessor-search.ts';
import { debuggerPort } from '../process/debugger-port.ts';
import { roster } from '../process/roster.ts';
import { type Adopter, descriptorOf, Estate, type Mover, type Receiver, type Served } from '../servers/index.ts';
import type { SignalOrder } from '../signals/signals.ts';
import { PassedInheritance } from '../systemd/passed-inheritance.ts';
import type { Service } from '../systemd/service.ts';
import type { DrainingGeneration, HasteOrder } from '../transaction/drains/draining-generation.ts';
import { JoinedInheritance } from '../transaction/joined-inheritance.ts';
import { controlName } from '../transaction/manifest.ts';
import { Reception } from '../transaction/reception.ts';
import { Reopenings } from '../transaction/reopenings.ts';
import type { UpgradeListener } from '../transaction/visits/upgrade-answer.ts';
import { Arrival } from './activities/arrival.ts';
import { halfSentGrace, upstreamGone } from './activities/drain.ts';
import type { DrainForSuccessor } from './activities/drain-for-successor.ts';
import { spawning } from './activities/launching.ts';
import { Leaving } from './activities/leaving.ts';
import { Offer, type OfferPlan } from './activities/offer.ts';
import { receive } from './activities/reception.ts';
import { Renewal } from './activities/renewal.ts';
import { acceptLate, Return } from './activities/return.ts';
import type { Announcer } from './contract/announcer.ts';
import type { ReexecOptions, ShutdownOptions, UpgradeOptions } from './contract/call-options.ts';
import type { DrainReport } from './contract/events.ts';
import { Hooks } from './contract/hooks.ts';
import type { Settings } from './contract/settings.ts';
import type { LifeEvent } from './decision/event.ts';
import type { Order } from './decision/order.ts';
import { type Before, fateOfClosed, isLeaving, isServed, isUndecided, type PhaseName } from './decision/state.ts';
import type { PhaseChange } from './decision/transitions.ts';
import { ControlPost } from './parts/control-post.ts';
import { DrainClock } from './parts/drain-clock.ts';
import { type DrainHook, DrainHooks } from './parts/drain-hooks.ts';
import { drainWork } from './parts/drain-work.ts';
import { DrainingSignal } from './parts/draining-signal.ts';
import { Generations } from './parts/generations.ts';
import { requireRegistering } from './parts/guards.ts';
import { Life } from './parts/life.ts';
import type { Offered } from './parts/offered-listeners.ts';
import type { Parts, StopSignals } from './parts/parts.ts';
import { Pause } from './parts/pause.ts';
import { PidFilePost } from './parts/pid-file-post.ts';
import { ReadyReminder } from './parts/ready-reminder.ts';
import { ServiceLife } from './parts/service-life.ts';
import { type HandoffStatus, statusOf } from './parts/status.ts';
import { actOnSignal, replaces, type Signalled } from './signal-actions.ts';

export interface SuccessionOptions {
  readonly settings: Settings;
  /** What there was before this process. */
  readonly found: Found;
  readonly service: Service | null;
  readonly announcements: Announcer;
  readonly signals: StopSignals | null;
}

/**
 * One process's part in the succession of servers. What follows on what is decided in `decision/`; here is which activity
 * carries out which order.
 */
export class Succession {
  readonly generation: number;
  readonly predecessor: { readonly pid: number; readonly generation: number } | null;
  /** Settles, and never rejects, when this process is drained. */
  readonly closed: Promise<DrainReport>;
  /** What this process serves, and has for its successor. */
  readonly estate: Estate;
  /** Passes on that log files were renamed. */
  readonly reopenings: Reopenings;

  readonly #parts: Parts;
  readonly #life: Life;
  readonly #arrival: Arrival;
  readonly #back: Return;
  readonly #leaving: Leaving;
  readonly #reminder: ReadyReminder;
  readonly #closeHooks: (() => void | Promise<void>)[] = [];
  #offer: Offer | null = null;
  #renewal: Renewal | null = null;
  /** The last drain for a successor. */
  #handedOver: DrainForSuccessor | null = null;

  constructor({ settings, found, service, announcements: announcer, signals }: SuccessionOptions) {
    const report = (error: unknown) => announcer.report(error);
    const takeover = found.is === 'takeover' ? found.takeover : null;
    const survival = found.is === 'survival' ? found.survival : null;
    const rehearsal = found.is === 'rehearsal' ? found.rehearsal : null;
    const former = found.is === 'rehearsal' ? found.inheritance : (survival ?? takeover);
    const passed = passedTo(found, service);
    const inheritance = former !== null && passed !== null ? new JoinedInheritance(former, passed) : (former ?? passed);
    const survived = survival?.take(controlName) ?? null;
    this.generation = inheritance?.generation ?? 0;
    this.predecessor = inheritance?.predecessor ?? null;
    this.#life = new Life(
      { is: 'starting', before: beforeOf(found), rehearsal: rehearsal !== null },
      { onPhase: (change) => this.#onPhase(change), carryOut: (order, event) => this.#carryOut(order, event) },
    );
    const hooks = new Hooks(settings.hooks, settings, rehearsal !== null);
    this.estate = new Estate(inheritance, {
      binding: isClusterWorker() ? 'inherits-only' : 'binds',
      hooks,
      fateOfClosed: () => fateOfClosed(this.#life.state),
      onForgotten: () => this.#parts.service.keep(),
      report,
      standardError: () => this.standardError,
    });
    this.reopenings = new Reopenings((signal) => {
      this.estate.reopen();
      announcer.tell('reopen', { signal });
    });
    takeover?.joinReopenings(this.reopenings);
    this.#reminder = new ReadyReminder(() => this.estate.size);
    if (isClusterWorker()) leaveWithPrimary(() => this.#leaveWithPrimary(settings));
    const serviceLife = new ServiceLife({
      service,
      estate: this.estate,
      generation: this.generation,
      keepsAll: settings.systemd?.keepsAll ?? false,
      report,
    });
    serviceLife.begin(found, settings.readyTimeout);
    const reception = new Reception({
      descriptorOf,
      authorize: settings.authorize,
      onVisitor: (visitor) => void receive(this.#parts, visitor, this.#hosting),
      onRefusal: (error, peer) => announcer.publish('fd-handoff:refusal', { error, peer }),
    });
    const control = new ControlPost(
      settings.control,
      found.is === 'fresh' ? found.control : null,
      reception,
      settings.user,
    );
    if (survived !== null) control.inherit(survived);
    let settleClosed: (report: DrainReport) => void = () => {};
    this.closed = new Promise((resolve) => {
      settleClosed = resolve;
    });
    const membership = roster.join({
      listens: signals !== null,
      exits: settings.exit,
      owns: () => !isLeaving(this.#life.state),
      control: settings.control,
    });
    const generations = new Generations();
    this.#parts = {
      settings,
      generation: this.generation,
      life: this.#life,
      announcer,
      signals,
      membership,
      estate: this.estate,
      hooks,
      drainHooks: new DrainHooks(report),
      closeHooks: this.#closeHooks,
      control,
      pidFile: new PidFilePost(settings.pidFile, report),
      service: serviceLife,
      clock: new DrainClock(),
      draining: new DrainingSignal(),
      generations,
      answers: {
        generations: async () => [...this.#own(), ...(await generations.askInChain())],
        hasten: (order) => this.#hasten(order),
      },
      reopenings: this.reopenings,
      peers: { upstream: null, heir: null },
      underway: { attempt: null, pause: null, mover: null },
      takeover,
      survival,
      rehearsal,
      passed,
      offered: offeredBy(found, membership.ordinal),
      stderr: found.is === 'takeover' ? found.stderr : null,
      closed: this.closed,
    };
    this.#arrival = new Arrival(this.#parts);
    this.#back = new Return(this.#parts);
    this.#leaving = new Leaving(this.#parts, settleClosed);
    void takeover?.predecessorLost.then(() => this.#parts.stderr?.restore('here'));
    takeover?.calledOff.addEventListener('abort', () => this.#life.report({ is: 'called-off' }), { once: true });
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
    return this.#parts.stderr?.meant ?? 2;
  }

  /** Takes connections while this process drains for another: null where that can take none. */
  get mover(): Mover | null {
    return this.#parts.underway.mover;
  }

  status(): HandoffStatus {
    const { generation, predecessor, phase, estate } = this;
    const { settings, generations } = this.#parts;
    const draining = [...this.#own(), ...generations.known];
    return statusOf({ generation, predecessor, phase, control: settings.control, estate, draining });
  }

  /** As `Handoff.drainingGenerations()`. */
  async drainingGenerations(): Promise<DrainingGeneration[]> {
    return [...(await this.#parts.generations.ask()), ...this.#own()];
  }

  /** Adds a hook that is awaited before the process leaves. */
  onClose(hook: () => void | Promise<void>): void {
    this.#closeHooks.push(hook);
  }

  /** Adds a hook that is called when this process begins to leave. */
  onDrain(hook: DrainHook): void {
    this.#parts.drainHooks.add(hook);
  }

  /** Does what a signal orders, by the methods of `app`. */
  onSignal(order: SignalOrder, app: Signalled): boolean | Promise<boolean> {
    const { rehearsal, membership, announcer, service } = this.#parts;
    if (rehearsal !== null) return rehearsal.onSignal(order.action);
    return actOnSignal(order, app, {
      paused: this.phase === 'paused',
      leads: membership.leads,
      reopen: (signal) => this.reopenings.order(signal),
      report: (error) => {
        if (replaces(order)) service.declined(error);
        announcer.report(error);
      },
    });
  }

  // ---- what the application wants ----

  /** As `Handoff.ready()`. */
  async ready(): Promise<void> {
    this.#life.report({ is: 'ready' });
    await this.#arriving;
  }

  #arriving: Promise<void> = Promise.resolve();

  /**
   * As `Handoff.upgrade()`, with options that were checked.
   *
   * @param listener hears how far it is
   */
  upgrade(options: UpgradeOptions, listener?: UpgradeListener): Promise<number> {
    return this.#makeOffer({
      mode: options.keep === true ? 'keep' : 'replace',
      prepare: (signal) => spawning(this.#parts, options, signal),
      signal: options.signal,
      listener,
    });
  }

  async #makeOffer(plan: OfferPlan): Promise<number> {
    if (this.#isResuming) await this.#resumed();
    this.#life.report({ is: 'offer' });
    this.#offer = new Offer(this.#parts, plan);
    return this.#offer.make();
  }

  /** As `Handoff.reexec()`, with options that were checked. */
  async reexec(options: ReexecOptions): Promise<never> {
    if (this.phase === 'serving' && this.#parts.membership.hasCompany) {
      throw new HandoffError(
        'ERR_HANDOFF_BUSY',
        'reexec() replaces the whole process, and would take its other handoffs along without handing them over: call their shutdown() first, or use upgrade().',
      );
    }
    this.#life.report({ is: 'renew' });
    this.#renewal = new Renewal(this.#parts);
    return this.#renewal.replace(options, this.#back);
  }

  /** As `Handoff.shutdown()`, with options that were checked. */
  async shutdown({ delay = this.#parts.settings.shutdownDelay, timeout }: ShutdownOptions = {}): Promise<DrainReport> {
    this.#notice = delay;
    this.#life.report({
      is: 'stop',
      notice: delay > 0 ? 'first' : 'none',
      terms: { timeout: timeout ?? null, idle: null },
    });
    return this.closed;
  }

  /** As `Handoff.hammer()`. */
  hammer(): void {
    this.#parts.announcer.inBackground(this.shutdown({ timeout: 0, delay: 0 }));
  }

  /** As `Handoff.pause()`. */
  async pause(): Promise<void> {
    if (this.#isResuming) await this.#resumed();
    this.#life.report({ is: 'pause' });
  }

  /** As `Handoff.resume()`. */
  async resume(): Promise<void> {
    this.#life.report({ is: 'resume' });
    await this.#back.done();
  }

  /** A moment passes between `resume()` and the service; what is wanted then is done after that. */
  get #isResuming(): boolean {
    const { state } = this.#life;
    return state.is === 'paused' && state.next === 'resume';
  }

  #resumed(): Promise<void> {
    // It rejects for whoever has called it, where it was overtaken; what is wanted here finds out for itself.
    return this.#back.done().catch(() => {});
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
    this.estate.adopter(route, adopt);
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

  // ---- what is ordered ----

  /** How long the next stop is announced, in milliseconds. */
  #notice = 0;

  #carryOut(order: Order, event: LifeEvent): void {
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
    'let-go-of-inheritance': () => this.estate.close(),
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
        event.is === 'predecessor-left' && event.how === 'died' ? (this.predecessor?.pid ?? null) : null,
      ),
    pause: () => this.#pause(),
    'tell-commit-in-place': () => this.#parts.announcer.tell('commit', { pid: process.pid, mode: 'replace' }),
    'take-back-survivors': () => this.#renewal?.takeBack(),
    'give-notice': () => this.#leaving.giveNotice(this.#notice),
    'stop-accepting': () => this.#stopAccepting('everything'),
    'stop-accepting-connections': () => this.#stopAccepting('connections'),
    'hasten-generations': () => this.#parts.generations.hasten({ pid: null, timeout: this.#leaving.timeout }),
    'close-listeners': () => this.#reportAll(this.estate.closeListeners('close')),
    'remove-listeners': () => {
      this.#reportAll(this.estate.closeListeners('remove'));
      this.#closeControl('remove');
    },
    'withdraw-listeners': () => this.#reportAll(this.estate.withdraw()),
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
    this.estate.stopAccepting(what);
    this.#parts.control.leave();
    this.#parts.draining.abort('draining');
  }

  #pause(): void {
    const { settings, clock, peers, draining, announcer, underway } = this.#parts;
    this.estate.stopAccepting();
    // Idle connections are to find whoever serves beside this process: an operator waits for the traffic to go there.
    const limits = { halfSent: halfSentGrace, idle: settings.shutdownTimeout };
    // The hammer is for the drain of the shutdown that it brings, which counts what it cuts off.
    const order = {
      limits,
      countdown: clock.begin(Number.POSITIVE_INFINITY),
      reason: 'handoff' as const,
      mover: null,
      noMoreComing: upstreamGone(peers.upstream),
    };
    underway.pause = new Pause((cancel) => this.estate.drain({ ...order, cancel }));
    draining.abort('paused');
    announcer.tell('pause');
  }

  #closeControl(how: 'close' | 'remove'): void {
    this.#parts.control.closeOrReport(how, (error) => this.#parts.announcer.report(error));
  }

  #reportAll(failures: readonly unknown[]): void {
    for (const failure of failures) this.#parts.announcer.report(failure);
  }

  /** A worker is nobody's without its primary: nobody serves with it any more. */
  #leaveWithPrimary({ shutdownTimeout }: Settings): void {
    this.#life.report({ is: 'stop', notice: 'none', terms: { timeout: shutdownTimeout, idle: null } });
  }

  // ---- what others are told ----

  readonly #hosting = {
    status: async () => ({ ...this.status(), draining: await this.drainingGenerations() }),
    hammer: () => this.hammer(),
    upgrade: (listener: UpgradeListener) => this.upgrade({}, listener),
    offer: (plan: OfferPlan) => this.#makeOffer(plan),
  };

  /** What this process is to those after it: nothing, unless it drains. */
  #own(): DrainingGeneration[] {
    if (this.phase !== 'draining' && this.phase !== 'shutting-down') return [];
    const connections = this.estate.served.reduce((sum, served) => sum + served.connections.sockets.size, 0);
    const { since, until } = this.#parts.clock;
    return [
      {
        pid: process.pid,
        generation: this.generation,
        since,
        until,
        waitsFor: drainWork(this.estate.works, connections),
      },
    ];
  }

  /** An order that came from a later generation: for this one, for those before it, or for all. */
  #hasten(order: HasteOrder): void {
    this.#parts.generations.hasten(order);
    if ((order.pid ?? process.pid) !== process.pid || this.phase !== 'draining') return;
    this.#life.report({ is: 'retire', terms: { timeout: order.timeout, idle: order.timeout } });
  }

  #onPhase(change: PhaseChange): void {
    const { membership, service, announcer } = this.#parts;
    this.#reminder[Symbol.dispose]();
    membership.noteChange();
    service.entered(change.from, change.to);
    announcer.publish('fd-handoff:phase', change);
  }
}

/** What a process that found this has before it. */
function beforeOf(found: Found): Before {
  if (found.is !== 'takeover') return 'nobody';
  switch (found.takeover.mode) {
    case 'replace':
      return 'predecessor';
    case 'keep':
      return 'owner';
    case 'share':
      return 'sharers';
  }
}

/** What a process that found this must have use for. In a rehearsal only one of its `handoff()` calls is for that. */
function offeredBy(found: Found, ordinal: number): Offered | null {
  if (found.is === 'rehearsal') return found.inheritance.ordinal === ordinal ? found.inheritance : null;
  return found.is === 'takeover' && found.takeover.mode !== 'share' ? found.takeover : null;
}

/** What the service manager has passed to a process that found this. */
function passedTo(found: Found, service: Service | null): PassedInheritance | null {
  if (!('passed' in found) || found.passed.length === 0) return null;
  const offered = found.is === 'takeover' ? found.takeover.held : [];
  return new PassedInheritance(found.passed, service?.controlGroup ?? '', offered);
}
