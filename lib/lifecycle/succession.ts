import { setTimeout as delay } from 'node:timers/promises';
import { abortReason, Deadline, untilAborted } from '../channel/deadline.ts';
import { isClusterWorker, leaveWithPrimary } from '../cluster/pool-membership.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import type { OwnedFd } from '../fd/owned-fd.ts';
import { endFailed, type Meeting, startSuccessor, successionOf } from '../meeting/meeting.ts';
import type { Found } from '../meeting/predecessor-search.ts';
import { debuggerPort } from '../process/debugger-port.ts';
import { withGivenControl } from '../process/given-control.ts';
import { flushOutput, leave } from '../process/leave.ts';
import type { CapturedStderr } from '../process/output/captured-stderr.ts';
import { type Membership, roster } from '../process/roster.ts';
import {
  isOwnProgram,
  type Launch,
  type LaunchOptions,
  launchOf,
  launchWithDebugger,
  requireStartable,
} from '../process/start/launch.ts';
import { withSilentParent } from '../process/start/silent-parent.ts';
import { execInPlace, type Image, imageOf } from '../reexec/exec-in-place.ts';
import { openExecRecord } from '../reexec/exec-record.ts';
import { KeptParentChannel } from '../reexec/kept-parent-channel.ts';
import { recordForExec, type Survival } from '../reexec/survival.ts';
import { defaultPreflight, type Preflight, passPreflight } from '../rehearsal/preflight.ts';
import type { Rehearsal } from '../rehearsal/rehearsal.ts';
import {
  type Adopter,
  Countdown,
  CutOff,
  type DrainLimits,
  type DrainOrder,
  type DrainReason,
  descriptorOf,
  Estate,
  Mover,
  type Receiver,
  type Served,
  Survivors,
} from '../servers/index.ts';
import type { SignalListeners, SignalOrder } from '../signals/signals.ts';
import { PassedInheritance } from '../systemd/passed-inheritance.ts';
import { type Service, withServiceVariables } from '../systemd/service.ts';
import type { Arriving } from '../transaction/connection-transfer.ts';
import type { DrainAnswers } from '../transaction/drains/drain-answers.ts';
import { DrainLine } from '../transaction/drains/drain-line.ts';
import type { DrainingGeneration, HasteOrder } from '../transaction/drains/draining-generation.ts';
import { JoinedInheritance } from '../transaction/joined-inheritance.ts';
import { controlName, type ManifestEntry } from '../transaction/manifest.ts';
import {
  abortPayload,
  type Mode,
  makeOffer,
  type OfferPhase,
  type Successor,
  welcomePayload,
} from '../transaction/predecessor.ts';
import { Reception, type Visitor } from '../transaction/reception.ts';
import { introductionLine } from '../transaction/rehearsed-inheritance.ts';
import type { SavedState } from '../transaction/state.ts';
import type { PredecessorEnd, Retirement, Takeover } from '../transaction/successor.ts';
import { answerHammer, readChosen } from '../transaction/visits/hammer-answer.ts';
import { rejoin } from '../transaction/visits/rejoin.ts';
import { answerUpgrade, type UpgradeListener } from '../transaction/visits/upgrade-answer.ts';
import type { Announcer } from './announcer.ts';
import { Attempt } from './attempt.ts';
import { type ReexecOptions, type ShutdownOptions, type UpgradeOptions, upgradeLimit } from './call-options.ts';
import { ControlPost } from './control-post.ts';
import { type DrainHook, DrainHooks } from './drain-hooks.ts';
import { drainWork } from './drain-work.ts';
import type { DrainReport } from './events.ts';
import { Generations } from './generations.ts';
import { requireOwning, requirePhase, requireRegistering, requireServing } from './guards.ts';
import { Hooks } from './hooks.ts';
import {
  type Offered,
  requireClaims,
  warnOfNothingRegistered,
  warnOfUnclaimed,
  warnOfUnclaimedPassed,
} from './offered-listeners.ts';
import { Pause } from './pause.ts';
import { type Owning, type Phase, pauseOf } from './phase.ts';
import { PidFilePost } from './pid-file-post.ts';
import { ReadyReminder } from './ready-reminder.ts';
import { ServiceLife } from './service-life.ts';
import type { Settings } from './settings.ts';
import { actOnSignal, replaces, type Signalled } from './signal-actions.ts';
import { type PhaseChange, Standing } from './standing.ts';
import { type HandoffStatus, statusOf } from './status.ts';

/**
 * How long idle connections may stay at a shutdown, in milliseconds. A request that was on the wire when the listener
 * closed arrives within a round trip; a second covers the slow ones, and keeps Ctrl-C short. At a replacement they
 * may stay for their whole keep-alive timeout: nobody waits for the predecessor's end.
 */
const shutdownIdleGrace = 1_000;

/**
 * How long a client may take to finish a request that it has begun when the drain begins. Ten seconds are more than a
 * slow phone needs for a head, and a third of a shutdown.
 */
const halfSentGrace = 10_000;

/**
 * How much longer than its own deadline a predecessor may take to answer the newline. It answers at once, or its
 * deadline expires and it says ABORT; a predecessor that does neither is stopped, and will find the connection closed.
 */
const decisionGrace = 1_000;

/** Never aborts. */
const never = new AbortController().signal;

/** An order to stop that came in the middle of a drain: when this process is to be gone, as `performance.now()` tells it. */
interface ToldToStop {
  readonly by: number;
}

/** As much of a process's signals as its life needs. */
type StopSignals = Pick<SignalListeners<unknown>, 'forgetOrders' | 'hooksDone'> & Disposable;

/** What an image leaves to the next. */
interface Surviving {
  /** Where it is written down. */
  readonly record: OwnedFd;
  readonly states: readonly SavedState[];
  readonly survivors: Survivors;
  readonly parent: KeptParentChannel | null;
}

export interface SuccessionOptions {
  readonly settings: Settings;
  /** What there was before this process. */
  readonly found: Found;
  readonly service: Service | null;
  readonly announcements: Announcer;
  readonly signals: StopSignals | null;
}

/**
 * One process's part in the succession of servers: takes over, serves, offers, commits, drains, leaves. Every change of
 * phase is made here.
 */
export class Succession {
  readonly generation: number;
  readonly predecessor: { readonly pid: number; readonly generation: number } | null;
  /** Settles, and never rejects, when this process is drained. */
  readonly closed: Promise<DrainReport>;
  /** What this process serves, and has for its successor. */
  readonly estate: Estate;

  readonly #settings: Settings;
  readonly #announcements: Announcer;
  readonly #signals: StopSignals | null;
  readonly #standing: Standing;
  readonly #hooks: Hooks;
  readonly #control: ControlPost;
  readonly #pidFile: PidFilePost;
  readonly #membership: Membership;
  readonly #takeover: Takeover | null;
  readonly #survival: Survival | null;
  readonly #rehearsal: Rehearsal | null;
  /** What this process must have use for; null where nobody has offered it anything, or serves on in any case. */
  readonly #offered: Offered | null;
  readonly #passed: PassedInheritance | null;
  readonly #life: ServiceLife;
  readonly #drainHooks: DrainHooks;
  readonly #reminder: ReadyReminder;
  /** Those before this one that still drain. */
  readonly #generations = new Generations();
  /** What this process answers to those after it. */
  readonly #answers: DrainAnswers = {
    generations: async () => [...this.#own(), ...(await this.#generations.askInChain())],
    hasten: (order) => this.#hasten(order),
  };
  readonly #closeHooks: (() => void | Promise<void>)[] = [];
  /** The real standard error, while descriptor 2 leads to the predecessor. */
  readonly #stderr: CapturedStderr | null;
  #draining = new AbortController();
  /** When the drain that is under way has to be over; of the last one when there is none. */
  #countdown = new Countdown(Number.POSITIVE_INFINITY);
  /** When it began, as `performance.now()` tells it. */
  #drainBegan = 0;
  /** Told to stop while it drained for a successor: if that dies, nothing is to be served again. */
  #toldToStop: ToldToStop | null = null;
  /** Settles when the last offer is over, its failed successor included. */
  #offerEnded: Promise<void> = Promise.resolve();
  #settleClosed: (report: DrainReport) => void = () => {};

  constructor({ settings, found, service, announcements, signals }: SuccessionOptions) {
    this.#settings = settings;
    this.#announcements = announcements;
    this.#signals = signals;
    const report = (error: unknown) => announcements.report(error);
    this.#drainHooks = new DrainHooks(report);
    const takeover = found.is === 'takeover' ? found.takeover : null;
    const former = found.is === 'survival' ? found.survival : found.is === 'rehearsal' ? found.inheritance : takeover;
    this.#passed = passedTo(found, service);
    const inheritance =
      former !== null && this.#passed !== null ? new JoinedInheritance(former, this.#passed) : (former ?? this.#passed);
    this.#takeover = takeover;
    this.#survival = found.is === 'survival' ? found.survival : null;
    this.#rehearsal = found.is === 'rehearsal' ? found.rehearsal : null;
    this.#stderr = found.is === 'takeover' ? found.stderr : null;
    const survived = this.#survival?.take(controlName) ?? null;
    this.generation = inheritance?.generation ?? 0;
    this.predecessor = inheritance?.predecessor ?? null;
    this.#standing = new Standing(takeover, (change) => this.#onPhase(change));
    this.#hooks = new Hooks(settings.hooks, settings, this.isRehearsal);
    this.estate = new Estate(inheritance, {
      binding: isClusterWorker() ? 'inherits-only' : 'binds',
      hooks: this.#hooks,
      fateOfClosed: () => this.#standing.fateOfClosed(),
      onForgotten: () => this.#life.keep(),
      report,
    });
    this.#reminder = new ReadyReminder(() => this.estate.size);
    if (isClusterWorker()) leaveWithPrimary(() => announcements.inBackground(this.#leaveWithPrimary()));
    this.#life = new ServiceLife({
      service,
      estate: this.estate,
      generation: this.generation,
      keepsAll: settings.systemd?.keepsAll ?? false,
      report,
    });
    this.#life.begin(found, settings.readyTimeout);
    const reception = new Reception({
      descriptorOf,
      authorize: settings.authorize,
      onVisitor: (visitor) => void this.#receive(visitor),
      onRefusal: (error, peer) => announcements.publish('fd-handoff:refusal', { error, peer }),
    });
    this.#control = new ControlPost(
      settings.control,
      found.is === 'fresh' ? found.control : null,
      reception,
      settings.user,
    );
    if (survived !== null) this.#control.inherit(survived);
    this.#pidFile = new PidFilePost(settings.pidFile, report);
    void takeover?.predecessorLost.then(() => this.#stderr?.restore('here'));
    takeover?.calledOff.addEventListener('abort', () => this.#letGoIfStarting(), { once: true });
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#membership = roster.join({
      listens: signals !== null,
      exits: settings.exit,
      owns: () => !['draining', 'shutting-down', 'left'].includes(this.phase.is),
      control: settings.control,
    });
    this.#offered = offeredBy(found, this.#membership.ordinal);
  }

  get phase(): Phase {
    return this.#standing.phase;
  }

  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  get isRehearsal(): boolean {
    return this.#rehearsal !== null;
  }

  /** Whether clients are served, by this process or by another one in its place. */
  get isServed(): boolean {
    return this.#standing.isServed();
  }

  /** The descriptor of the standard error that is meant: until commit 2 may lead to the predecessor. */
  get standardError(): number {
    return this.#stderr?.meant ?? 2;
  }

  status(): HandoffStatus {
    const { generation, predecessor, estate } = this;
    const { control } = this.#settings;
    const draining = [...this.#own(), ...this.#generations.known];
    return statusOf({ generation, predecessor, phase: this.phase.is, control, estate, draining });
  }

  /** As `Handoff.drainingGenerations()`. */
  async drainingGenerations(): Promise<DrainingGeneration[]> {
    return [...(await this.#generations.ask()), ...this.#own()];
  }

  /** What this process is to those after it: nothing, unless it drains. */
  #own(): DrainingGeneration[] {
    if (!this.#standing.isIn('draining') && !this.#standing.isIn('shutting-down')) return [];
    const connections = this.estate.served.reduce((sum, served) => sum + served.connections.sockets.size, 0);
    return [
      {
        pid: process.pid,
        generation: this.generation,
        since: dateOf(this.#drainBegan),
        until: dateOf(performance.now() + this.#countdown.left),
        waitsFor: drainWork(this.estate.works, connections),
      },
    ];
  }

  /** An order that came from a later generation: for this one, for those before it, or for all. */
  #hasten(order: HasteOrder): void {
    this.#generations.hasten(order);
    if ((order.pid ?? process.pid) !== process.pid) return;
    if (this.#standing.isIn('draining')) this.#announcements.inBackground(this.#shutDown(order.timeout, order.timeout));
  }

  /** Adds a hook that is awaited before the process leaves. */
  onClose(hook: () => void | Promise<void>): void {
    this.#closeHooks.push(hook);
  }

  /** Adds a hook that is called when this process begins to leave. */
  onDrain(hook: DrainHook): void {
    this.#drainHooks.add(hook);
  }

  /** Does what a signal orders, by the methods of `app`. */
  onSignal(order: SignalOrder, app: Signalled): boolean | Promise<boolean> {
    if (this.#rehearsal !== null) return this.#rehearsal.onSignal(order.action);
    return actOnSignal(order, app, {
      paused: this.#standing.isIn('paused'),
      leads: this.#membership.leads,
      reopen: (signal) => this.#announcements.tell('reopen', { signal }),
      report: (error) => {
        if (replaces(order)) this.#life.declined(error);
        this.#announcements.report(error);
      },
    });
  }

  /** As `Handoff.ready()`. */
  async ready(): Promise<void> {
    if (this.#standing.phase.is !== 'starting') {
      throw new HandoffError(
        'ERR_HANDOFF_NOT_READY',
        `ready() was called twice: this process is ${this.#standing.phase.is}.`,
      );
    }
    this.#standing.enter({ is: 'taking-over' });
    if (this.#rehearsal !== null) return this.#passRehearsal(this.#rehearsal);
    const takeover = this.#takeover;
    let unclaimed: readonly ManifestEntry[];
    try {
      if (takeover?.calledOff.aborted === true) throw abortReason(takeover.calledOff);
      // Before anything is accepted: who connects must not get to a process that is no successor.
      this.#requireClaims();
      await this.estate.accept();
      requirePhase(this.#standing.phase, 'taking-over');
      // The decision closes what nobody took.
      unclaimed = this.#unclaimed();
      if (takeover !== null) await this.#decide(takeover);
      else if (this.#survival === null) this.#pidFile.start();
      else this.#pidFile.write();
      requirePhase(this.#standing.phase, 'taking-over');
    } catch (error) {
      if (this.#standing.isIn('taking-over')) await this.#renounce(error);
      throw error;
    }
    this.#standing.enter({ is: 'serving' });
    this.#standing.tookOver = true;
    for (const failure of this.estate.claim()) this.#announcements.report(failure);
    this.#adoptAll(this.#survival?.takeConnections() ?? []);
    if (this.#survival?.debugger) debuggerPort.open(this.#survival.debugger);
    this.#survival?.[Symbol.dispose]();
    warnOfUnclaimedPassed(this.#passed?.unclaimed ?? []);
    this.#passed?.[Symbol.dispose]();
    this.#stderr?.restore('here');
    // Without its control path the process still serves, so this failing is no reason to give the service up.
    await this.#openControl(takeover).catch((error) => this.#announcements.report(error));
    this.#life.ready(takeover === null || takeover.mode === 'replace', unclaimed);
    await this.#acceptLate();
  }

  /**
   * As `Handoff.upgrade()`, with options that were checked.
   *
   * @param listener hears how far it is
   */
  async upgrade(options: UpgradeOptions, listener?: UpgradeListener): Promise<number> {
    const mode = options.keep === true ? 'keep' : 'replace';
    const prepare = async (signal: AbortSignal) => {
      const launch = await this.#launch(options, signal);
      await this.#passPreflight(options.preflight ?? false, launch, signal);
      // Another program may know nothing of this library, and gets what it needs to serve without it.
      const listeners = options.command === undefined && isOwnProgram(launch) ? null : this.estate.descriptors;
      const stderr = options.stderr ?? (isOwnProgram(launch) ? 'capture' : 'inherit');
      const { ordinal } = this.#membership;
      return (deadline: AbortSignal) =>
        startSuccessor({ ...launch, env: successorEnvironment(launch), stderr, ordinal, listeners }, deadline);
    };
    return this.#offer(mode, prepare, options.signal, listener);
  }

  /** As `Handoff.reexec()`, with options that were checked. */
  async reexec(options: ReexecOptions): Promise<never> {
    requireServing(this.#standing.phase, 'reexec()');
    if (this.#membership.hasCompany) {
      throw new HandoffError(
        'ERR_HANDOFF_BUSY',
        'reexec() replaces the whole process, and would take its other handoffs along without handing them over: call their shutdown() first, or use upgrade().',
      );
    }
    if (this.#standing.heir !== null || this.#standing.standsBeside()) {
      throw new HandoffError(
        'ERR_HANDOFF_BUSY',
        'reexec() cannot be called while another process serves beside this one (upgrade({ keep: true })): end one of the two first.',
      );
    }
    using record = openExecRecord();
    const survivors = new Survivors();
    const mover = new Mover((batch) => survivors.send(batch));
    const attempt = new Attempt(options.signal);
    this.#standing.enter({ is: 'rehearsing', attempt });
    this.#offerEnded = attempt.ended;
    let image: Image;
    try {
      image = imageOf(await this.#launch(options, attempt.signal));
      await this.#passPreflight(options.preflight ?? defaultPreflight(image), image, attempt.signal);
      requirePhase(this.#standing.phase, 'rehearsing');
      this.#standing.enter({ is: 'draining-in-place', mover, survivors });
    } catch (error) {
      this.#life.rolledBack(error as Error);
      this.#announcements.tell('rollback', { error: error as Error });
      throw error;
    } finally {
      this.#endAttempt(attempt, { is: 'serving' });
    }
    const { shutdownTimeout } = this.#settings;
    let parent: KeptParentChannel | null = null;
    try {
      using deadline = Deadline.after(shutdownTimeout, 'The state was not saved');
      const early = await untilAborted(this.estate.save('early'), deadline.signal);
      await this.#hangUpOnPredecessor(deadline.signal);
      // While clients are still served: nobody is to wait for a reader that does not read.
      const isRead = await flushOutput();
      requirePhase(this.#standing.phase, 'draining-in-place');
      this.#stopAccepting();
      this.#drainHooks.begin('handoff');
      this.#announcements.tell('commit', { pid: process.pid, mode: 'replace' });
      const order = this.#drainAlone('handoff', patientLimits(shutdownTimeout), shutdownTimeout);
      await this.estate.drain({ ...order, mover, noMoreComing: this.#drainHooks.done(order.countdown.over) });
      using lateDeadline = Deadline.after(shutdownTimeout, 'The late state was not saved');
      const late = await untilAborted(this.estate.save('late'), lateDeadline.signal);
      if (isRead) await flushOutput();
      parent = await KeptParentChannel.bringToRest();
      requirePhase(this.#standing.phase, 'draining-in-place');
      return this.#exec(image, { record, states: [...early, ...late], survivors, parent });
    } catch (error) {
      parent?.resume();
      if (this.#standing.isIn('draining-in-place')) await this.#serveAgain();
      this.#adoptAll(survivors.release());
      this.#life.rolledBack(error as Error);
      this.#announcements.tell('rollback', { error: error as Error });
      throw error;
    }
  }

  /**
   * A predecessor that still drains may do so for an hour, and who connects to an image that is about to be replaced waits
   * in the queue: what it would still move here it finishes itself. Without a word it would take the end of the connection
   * for a death, and serve again. What it has promised to send comes first.
   */
  async #hangUpOnPredecessor(signal: AbortSignal): Promise<void> {
    const { upstream } = this.#standing;
    if (upstream.is !== 'connected') return;
    await untilAborted(upstream.takeover.lateStatesRestored, signal);
    await upstream.takeover.leave();
  }

  /** As `Handoff.shutdown()`, with options that were checked. */
  async shutdown(options: ShutdownOptions = {}): Promise<DrainReport> {
    const { delay: notice = this.#settings.shutdownDelay } = options;
    if (notice > 0 && this.#standing.isIn('announcing')) return this.closed;
    if (notice > 0 && this.#standing.isIn('serving') && this.#standing.heir === null && !this.#standing.isGuest()) {
      this.#standing.enter({ is: 'announcing' });
      await delay(notice);
      // A successor that has come meanwhile is let through: nobody is refused then.
      await this.#offerEnded;
    }
    const { drainTimeout, shutdownTimeout } = this.#settings;
    if (this.#standing.isAlone()) return this.#shutDown(options.timeout ?? shutdownTimeout, shutdownIdleGrace);
    this.#watchSharers();
    return this.#shutDown(options.timeout ?? drainTimeout, Number.POSITIVE_INFINITY);
  }

  /** @param idle after how many milliseconds idle connections are closed */
  async #shutDown(timeout: number, idle: number): Promise<DrainReport> {
    const phase = this.#standing.phase;
    const pause = pauseOf(phase);
    if (phase.is === 'draining' || phase.is === 'shutting-down' || phase.is === 'left') {
      // Who says so waits for this process to end, be there a successor or not.
      this.#countdown.shorten(timeout);
      this.#toldToStop = {
        by: Math.min(performance.now() + timeout, this.#toldToStop?.by ?? Number.POSITIVE_INFINITY),
      };
      return this.closed;
    }
    if (phase.is === 'offering' || phase.is === 'rehearsing') {
      phase.attempt.callOff(new HandoffError('ERR_HANDOFF_ABORTED', 'This process is shutting down.'));
    }
    this.#standing.enter({ is: 'shutting-down' });
    // Before `ready()` is done there is a predecessor that serves: closing the connection leaves it the owner.
    if (phase.is === 'starting' || phase.is === 'taking-over') {
      this.#takeover?.abort(new HandoffError('ERR_HANDOFF_ABORTED', 'The successor was told to shut down.'));
    }
    if (this.#standing.upstream.is === 'connected') this.#standing.upstream.takeover.release();
    const owner = phase.is !== 'starting' && phase.is !== 'taking-over';
    this.#stopAccepting(owner && this.#standing.isAlone() ? 'connections' : 'everything');
    // Whoever connects from now on is to be refused, and not to wait in a queue that nobody serves. And whoever starts
    // from now on is to find the path free.
    if (owner && this.#standing.isAlone()) this.#generations.hasten({ pid: null, timeout });
    if (owner) this.#closeListeners();
    this.#drainHooks.begin('shutdown');
    // What was set aside for an image that will not be is served to its end here.
    if (phase.is === 'draining-in-place') this.#adoptAll(phase.survivors.release());
    if (pause !== null) await pause.end();
    await this.#drainToEnd('shutdown', { idle, halfSent: halfSentGrace }, timeout, null);
    return this.closed;
  }

  /**
   * Those that share are told by nobody that the others leave as well, as when a supervisor stops all of them: whether
   * anybody is left is asked when half of the time is over that there would be then.
   */
  #watchSharers(): void {
    const half = this.#settings.shutdownTimeout / 2;
    const look = async () => {
      if (
        !this.#standing.standsBeside() &&
        this.#standing.heir === null &&
        (await this.#control.answeredAt()) === null
      ) {
        this.#countdown.shorten(half);
      }
    };
    setTimeout(() => this.#announcements.inBackground(look()), half).unref();
  }

  /** Who has served beside this process leaves, too: nobody serves any more, and whoever waits for the end waits for this one. */
  #hurryAlone(): void {
    if (this.#standing.isIn('shutting-down')) this.#countdown.shorten(this.#settings.shutdownTimeout);
  }

  /** As `Handoff.hammer()`. */
  hammer(): void {
    this.#announcements.inBackground(this.shutdown({ timeout: 0, delay: 0 }));
  }

  /** As `Handoff.pause()`. */
  async pause(): Promise<void> {
    if (this.#standing.isIn('paused')) return;
    requireServing(this.#standing.phase, 'pause()');
    this.estate.stopAccepting();
    // Idle connections are to find whoever serves beside this process: an operator waits for the traffic to go there.
    const limits = { halfSent: halfSentGrace, idle: this.#settings.shutdownTimeout };
    // The hammer is for the drain of the shutdown that it brings, which counts what it cuts off.
    const order = {
      ...this.#drainAlone('handoff', limits, Number.POSITIVE_INFINITY),
      noMoreComing: this.#standing.upstreamGone(),
    };
    const pause = new Pause((cancel) => this.estate.drain({ ...order, cancel }));
    this.#standing.enter({ is: 'paused', pause });
    this.#draining.abort(new HandoffError('ERR_HANDOFF_ABORTED', 'This process is paused.'));
    this.#announcements.tell('pause');
  }

  /** As `Handoff.resume()`. */
  async resume(): Promise<void> {
    if (!this.#standing.isIn('paused')) return requireServing(this.#standing.phase, 'resume()');
    const pause = pauseOf(this.#standing.phase);
    this.#standing.enter({ is: 'serving' });
    await pause?.end();
    await this.#acceptAgain();
    if (this.#standing.isIn('shutting-down') || this.#standing.isIn('left')) {
      // What began to accept while it was told to stop must not go on.
      this.estate.stopAccepting();
      throw new HandoffError('ERR_HANDOFF_ABORTED', 'This process was told to shut down while it was resuming.');
    }
    await this.#acceptLate();
    this.#announcements.tell('resume');
  }

  /**
   * Resolves when something can be registered: in the middle of an offer that is over first, because the successor has
   * got its list of what there is. An offer that waits for this, in a hook of its own, waits until its deadline.
   *
   * @throws ERR_HANDOFF_NOT_READY where this process does not serve on
   */
  async registering(what: string): Promise<void> {
    while (this.#standing.isUndecided()) await this.#standing.changed();
    requireRegistering(this.#standing.phase, what);
  }

  /** As `Handoff.connections()`: an offer says nothing of routes, so that it has not to be waited for. */
  adopter(route: string, adopt: Adopter): void {
    if (!this.#standing.isUndecided()) requireRegistering(this.#standing.phase, 'connections');
    this.estate.adopter(route, adopt);
  }

  /**
   * A late one is served at once, as with `server.listen()`; one that comes in the middle of something else when that is
   * over.
   */
  async begin<Registered extends Served | Receiver>(what: string, registered: Registered): Promise<Registered> {
    try {
      if (this.#standing.phase.is === 'serving') {
        await registered.accept();
        this.#life.keep();
      } else if (!this.#standing.isUndecided()) {
        requireRegistering(this.#standing.phase, what);
      }
      return registered;
    } catch (error) {
      // Who connects would wait in a queue that nobody serves.
      this.estate.discard(registered);
      throw error;
    }
  }

  // ---- as a successor ----

  /** Writes the newline, waits for the predecessor's word, and settles with it. */
  async #decide(takeover: Takeover): Promise<void> {
    using deadline = Deadline.after(
      this.#settings.readyTimeout + decisionGrace,
      'The predecessor answered the ready pipe with neither COMMITTED nor ABORT',
    );
    const decision = await takeover.announceReady(deadline.signal);
    const inherited = takeover.take(controlName);
    if (inherited !== null) this.#control.inherit(inherited);
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
    if (takeover.mode === 'share') this.#pidFile.writeIfFree(null);
    else if (takeover.mode === 'replace' || decision === 'orphaned') this.#pidFile.write();
    warnOfUnclaimed(takeover);
    let leave = () => {};
    const gone = new Promise<void>((resolve) => {
      leave = resolve;
    });
    if (decision === 'committed') this.#standing.upstream = { is: 'connected', takeover, gone };
    if (takeover.mode === 'replace') this.#generations.add(takeover.drainLine());
    takeover.settle({
      onConnection: (connection) => this.#standing.mayAdopt() && this.#adopt(connection),
      onLateState: (state: SavedState) =>
        this.estate.restoreLate(state).catch((error) => this.#announcements.report(error)),
      onDebugger: (address) => debuggerPort.open(address),
      // It can come in one piece with COMMITTED: ready() resolves first, or a worker that did its part would fail by that.
      onRetire: (retirement) => setImmediate(() => this.#retire(retirement)),
      onEnd: (end) => {
        leave();
        this.#announcements.inBackground(this.#afterPredecessor(takeover, end));
      },
    });
  }

  /** The primary wants this worker to leave. */
  #retire({ timeout, idle }: Retirement): void {
    // It may be leaving by a signal already, which went to the primary as well: only that knows that nobody serves on.
    if (idle !== null) setTimeout(() => this.estate.closeIdle(), idle).unref();
    this.#announcements.inBackground(this.#shutDown(timeout, idle ?? Number.POSITIVE_INFINITY));
  }

  /** Throws unless this process serves what it is to serve; warns where it serves nothing and nobody had anything for it. */
  #requireClaims(): void {
    const offered = this.#offered;
    if (offered !== null && offered.offered.length > 0) {
      this.estate.takeRest();
      requireClaims(offered, this.estate, this.#settings.unclaimed);
    } else if (this.#takeover?.mode !== 'share' && this.#survival === null) warnOfNothingRegistered(this.estate);
  }

  /** Never resolves: this process ends where it is what it should be. */
  #passRehearsal(rehearsal: Rehearsal): Promise<never> {
    try {
      this.#requireClaims();
    } catch (error) {
      rehearsal.fail(error as HandoffError);
      throw error;
    }
    return rehearsal.succeed();
  }

  /** What this process was given and has no use for. Beside an owner everything is still of use to that. */
  #unclaimed(): ManifestEntry[] {
    const takeover = this.#takeover;
    return [
      ...(takeover?.mode === 'replace' ? takeover.unclaimed : []),
      ...(this.#survival?.unclaimed ?? []),
      ...(this.#passed?.unclaimed ?? []),
    ];
  }

  /**
   * The predecessor is gone without a word. If only the connection is, and it serves on, or if the one before it serves
   * again, then that process is the owner: nobody else accepts on the control path before this one does.
   */
  async #mustBeAlone(): Promise<void> {
    const path = await this.#control.answeredAt();
    if (path === null) return;
    throw new HandoffError(
      'ERR_HANDOFF_ABORTED',
      `The connection to the predecessor broke before it had committed, and a process serves on ${path}: that one stays the owner.`,
    );
  }

  /** Serves a connection that was established by another process, or by this one before an exec. */
  #adopt(connection: Arriving): boolean {
    return this.estate.adopt(connection, (error) => this.#announcements.report(error));
  }

  /** The same for connections that nobody else has: what this version cannot serve is closed. */
  #adoptAll(connections: readonly Arriving[]): void {
    for (const connection of connections) if (!this.#adopt(connection)) connection.descriptor.close();
  }

  /** Accepts on the control path, except beside an owner who does. */
  async #openControl(takeover: Takeover | null): Promise<void> {
    if (takeover?.mode === 'keep' && this.#standing.upstream.is === 'connected') return;
    await this.#control.open();
  }

  /** The predecessor is gone. One that stood beside this process leaves its role, unless it gave that to another. */
  async #afterPredecessor(takeover: Takeover, end: PredecessorEnd): Promise<void> {
    this.#standing.upstream = { is: 'none' };
    if (isClusterWorker()) await this.#leaveWithPrimary();
    if (takeover.mode !== 'keep') return;
    this.#hurryAlone();
    if (end.how !== 'released') this.#life.inherit();
    if (end.how === 'released') {
      this.#closeControl('close');
    } else if (this.#standing.isOwner()) {
      this.#pidFile.writeIfFree(end.how === 'died' ? takeover.predecessor.pid : null);
      await this.#openControl(takeover);
    }
  }

  /** The predecessor called the handoff off before `ready()`, which will say so: until then nothing is to be held. */
  #letGoIfStarting(): void {
    if (this.#standing.phase.is === 'starting') this.estate.close();
  }

  /** `ready()` failed: the predecessor stays the owner, and what was accepted here is finished. */
  async #renounce(error: unknown): Promise<void> {
    this.#takeover?.abort(error);
    this.#standing.enter({ is: 'shutting-down' });
    this.#stopAccepting();
    this.#drainHooks.begin('shutdown');
    for (const failure of this.estate.withdraw()) this.#announcements.report(failure);
    // The predecessor serves, but whoever has started this process waits to hear that it has failed.
    const { shutdownTimeout } = this.#settings;
    await this.#drainToEnd('called-off', patientLimits(shutdownTimeout), shutdownTimeout, null);
    // It reports what fails here with the end of that.
    this.#stderr?.restore('the predecessor');
  }

  // ---- as a predecessor ----

  /** A handoff is over, whatever it came to: without a successor this process is what it was `before`. */
  #endAttempt(attempt: Attempt, before: Owning): void {
    if (this.#standing.isAttempting()) this.#standing.enter(before);
    attempt.end();
    if (this.#standing.isIn('serving')) this.#announcements.inBackground(this.#acceptLate());
  }

  /** How the next version is started: as this process was, with what the call and then the hook gives in its place. */
  async #launch(options: LaunchOptions, signal: AbortSignal): Promise<Launch> {
    const launch = await this.#hooks.beforeSpawn(launchOf(options), signal);
    requireStartable(launch);
    const prepared = { ...launch, env: withSilentParent(launch.env) };
    // What this process has goes along at the commit; what it has not the next version may open by itself.
    return launchWithDebugger(prepared, debuggerPort.address === null ? 'without waiting' : 'on demand');
  }

  /** Resolves when the next version may be started. */
  #passPreflight(preflight: Preflight, launch: Launch, signal: AbortSignal): Promise<void> {
    const { ordinal } = this.#membership;
    const introduction = () => introductionLine(this.generation, this.estate.descriptors, ordinal);
    return passPreflight(preflight, { launch, introduction, timeout: this.#settings.readyTimeout, signal });
  }

  /**
   * One handoff, from its beginning to commit. Whatever goes wrong on the way, this process has served all the while and
   * serves on.
   *
   * @param prepare resolves with what brings the candidate, whose time starts only then
   * @param listener hears how far it is
   */
  async #offer(
    mode: Mode,
    prepare: (signal: AbortSignal) => Promise<(signal: AbortSignal) => Promise<Meeting>>,
    outer?: AbortSignal,
    listener?: UpgradeListener,
  ): Promise<number> {
    const before = requireOwning(this.#standing.phase);
    const attempt = new Attempt(outer);
    this.#standing.enter({ is: 'offering', before, attempt });
    this.#life.offering(mode);
    this.#offerEnded = attempt.ended;
    let meeting: Meeting | null = null;
    try {
      const meet = await prepare(attempt.signal);
      using deadline = Deadline.after(this.#settings.readyTimeout, 'The successor was not ready', attempt.signal);
      meeting = await meet(deadline.signal);
      const { pid, spawned } = meeting;
      const tell = (phase: OfferPhase) => {
        listener?.(phase, pid);
        this.#announcements.tell('offer', { pid, mode, phase });
      };
      if (meeting.how === 'channel') await makeOffer(meeting.candidate, this.#offerTo(mode), deadline.signal, tell);
      else tell('ready');
      // A shutdown that came while the newline was on its way has the last word.
      requirePhase(this.#standing.phase, 'offering');
      spawned?.detach({ library: meeting.how === 'channel' });
      if (mode === 'replace') this.#commit(meeting);
      else this.#standBeside(meeting, mode);
      // In the same turn as the commit: a moment later this process may have left.
      listener?.('done', pid);
      return pid;
    } catch (error) {
      const failure = await this.#rollBack(meeting, error);
      throw failure;
    } finally {
      this.#endAttempt(attempt, before);
    }
  }

  #offerTo(mode: Mode) {
    const control =
      this.#control.is === 'open' && (mode === 'replace' || (mode === 'keep' && this.#standing.heir === null))
        ? this.#control.named
        : [];
    return {
      mode,
      generation: this.generation,
      descriptors: [...this.estate.descriptors, ...control],
      states: this.estate.stateEntries,
      saveStates: () => this.estate.save('early'),
      readyTimeout: this.#settings.readyTimeout,
    };
  }

  /** The newline was read: this process stops accepting, keeps its copies, and drains. One step, without a pause. */
  #commit(meeting: Meeting): void {
    const { pid } = meeting;
    const successor = successionOf(meeting, (names) => this.estate.abandon(names));
    const { takesConnections: takes } = successor;
    const mover =
      takes === 'none' ? null : new Mover((batch, received) => successor.sendConnections(batch, received), takes);
    const pause = pauseOf(this.#standing.phase);
    this.#standing.enter({ is: 'draining', successor, mover });
    // Upstream first: whoever drains for us must not step in when this process leaves.
    if (this.#standing.upstream.is === 'connected') this.#standing.upstream.takeover.release();
    this.#standing.heir?.successor.release();
    this.#stopAccepting();
    // A program that knows nothing of this library knows nothing of the file either.
    if (meeting.how === 'ready') this.#pidFile.bequeath(pid);
    this.#life.committed(meeting);
    successor.committed(this.#settings.drainTimeout, 'replace');
    successor.answer(this.#answers);
    passDebugger(successor);
    this.#generations.dismiss();
    this.#drainHooks.begin('handoff');
    this.#announcements.inBackground(this.#drainForSuccessor(successor, pid, mover, pause));
    this.#announcements.tell('commit', { pid, mode: 'replace' });
  }

  /** The newline was read from a successor that serves beside this process. */
  #standBeside(meeting: Meeting, mode: Mode): void {
    const successor = successionOf(meeting, () => {});
    successor.committed(0, mode);
    this.#announcements.tell('commit', { pid: meeting.pid, mode });
    this.#announcements.inBackground(this.#hooks.afterCommit({ pid: meeting.pid, mode }));
    if (mode !== 'keep' || !successor.inheritsControl || this.#standing.heir !== null) {
      this.#announcements.inBackground(successor.drained({}));
      return;
    }
    this.#standing.heir = { successor, pid: meeting.pid };
    this.#life.besides(meeting.pid);
    void successor.leaving.then(() => this.#hurryAlone());
    void successor.departure.then(() => {
      if (this.#standing.heir?.successor === successor) {
        this.#standing.heir = null;
        this.#life.besides(null);
      }
      this.#announcements.inBackground(this.#serveForHeir());
    });
  }

  /** The successor beside this process is gone. If that is why this one paused, nobody serves any more (as nginx does). */
  async #serveForHeir(): Promise<void> {
    await this.#offerEnded;
    if (this.#standing.isIn('paused') && this.#standing.heir === null) await this.resume();
  }

  /** What is left to do when a handoff has failed; returns the error with everything that is known. */
  async #rollBack(meeting: Meeting | null, error: unknown): Promise<Error> {
    let failure = error instanceof Error ? error : new Error(String(error));
    if (meeting?.how === 'channel') void meeting.candidate.channel.end();
    if (meeting !== null && meeting.spawned !== null) failure = await endFailed(meeting.spawned, failure);
    this.estate.reassert();
    this.#life.rolledBack(failure);
    this.#announcements.tell('rollback', { error: failure });
    return failure;
  }

  /** After commit: late state, the drain, the last word. Or the give-back, when the successor dies before that. */
  async #drainForSuccessor(successor: Successor, pid: number, mover: Mover | null, pause: Pause | null): Promise<void> {
    if (pause !== null) await pause.end();
    const died = new AbortController();
    void successor.departure.then((departure) => {
      if (departure === 'died') died.abort();
    });
    const said = this.#sendLateStates(successor, died.signal).catch((error) => this.#announcements.report(error));
    const { drainTimeout } = this.#settings;
    const hooked = this.#hooks
      .afterCommit({ pid, mode: 'replace' })
      .catch((error) => this.#announcements.report(error));
    // Until the others are the successor's too, it may still fail as a whole, and everything is given back.
    const settled = Promise.all([said, hooked, successor.settled, this.#membership.othersHandedOver()]);
    await this.#drainToEnd('handoff', patientLimits(drainTimeout), drainTimeout, {
      successor,
      pid,
      died: died.signal,
      mover,
      settled,
    });
  }

  async #sendLateStates(successor: Successor, died: AbortSignal): Promise<void> {
    // As long as an early one may take with all that is around it: the successor serves without it until then.
    using deadline = Deadline.after(this.#settings.readyTimeout, 'The late state was not sent', died);
    // What the predecessor has promised and not sent yet is part of what is handed on.
    await untilAborted(this.#takeover?.lateStatesRestored ?? Promise.resolve(), deadline.signal);
    await successor.lateStates(await untilAborted(this.estate.save('late'), deadline.signal), deadline.signal);
  }

  /** The successor died while this process drained: it serves again, unless it was told to stop meanwhile. */
  async #giveBack(pid: number): Promise<void> {
    this.#pidFile.write();
    debuggerPort.takeBack();
    if (this.#toldToStop !== null) {
      this.#standing.enter({ is: 'shutting-down' });
      const limits = { idle: shutdownIdleGrace, halfSent: halfSentGrace };
      const left = Math.max(0, this.#toldToStop.by - performance.now());
      return this.#drainToEnd('shutdown', limits, left, null);
    }
    await this.#serveAgain();
    this.#announcements.tell('give-back', { pid });
    if (this.#toldToStop !== null) await this.shutdown();
  }

  /** Undoes a drain, unless this process is told to stop while it does. */
  async #serveAgain(): Promise<void> {
    await this.#acceptAgain();
    if (!this.#standing.isIn('shutting-down'))
      await this.#openControl(null).catch((error) => this.#announcements.report(error));
    if (this.#standing.isIn('shutting-down') || this.#standing.isIn('left')) {
      // What began to accept meanwhile must not go on.
      this.#stopAccepting();
      return;
    }
    this.#standing.enter({ is: 'serving' });
    this.#drainHooks.stay();
  }

  /** On doubt everywhere it can. */
  async #acceptAgain(): Promise<void> {
    if (this.#draining.signal.aborted) this.#draining = new AbortController();
    this.#signals?.forgetOrders();
    this.estate.reassert();
    for (const failure of await this.estate.acceptAgain()) this.#announcements.report(failure);
  }

  /** Accepts on what was registered while something else was under way. */
  async #acceptLate(): Promise<void> {
    for (const failure of await this.estate.acceptWaiting()) this.#announcements.report(failure);
    this.#life.keep();
  }

  #exec(image: Image, { record, states, survivors: { connections }, parent }: Surviving): never {
    const descriptors = [...this.estate.descriptors, ...this.#control.named];
    recordForExec(record, this.generation, descriptors, states, connections, debuggerPort.address);
    const surviving = [
      ...descriptors.map(({ fd }) => fd),
      ...connections.map(({ descriptor }) => descriptor.fd),
      ...(parent === null ? [] : [parent.fd]),
    ];
    const env = { ...withGivenControl(this.#life.environmentAfterExec(image.env)), ...parent?.variables };
    return execInPlace({ ...image, env }, record, surviving);
  }

  async #receive(visitor: Visitor): Promise<void> {
    const { hello, control, channel, peer } = visitor;
    try {
      if (hello.intent === 'status') {
        control.send('STATUS', { ...this.status(), draining: await this.drainingGenerations() });
        void control.end();
        return;
      }
      if (hello.intent === 'drain') {
        const generation = Number.isSafeInteger(hello.details.generation) ? (hello.details.generation as number) : 0;
        this.#generations.join(new DrainLine(control, { pid: peer.pid, generation }, hello.features));
        control.send('WELCOME', welcomePayload(this.generation));
        control.unref();
        return;
      }
      if (hello.intent === 'hammer') {
        const chosen = readChosen(hello.details);
        const owner = { pid: process.pid, generation: this.generation, hammer: () => this.hammer() };
        return await answerHammer(control, chosen, owner, this.#generations);
      }
      if (hello.intent === 'upgrade') {
        requireOwning(this.#standing.phase);
        return await answerUpgrade(control, upgradeLimit(this.#settings), (listener) => this.upgrade({}, listener));
      }
      if (channel === null) {
        throw new HandoffError('ERR_HANDOFF_REFUSED', `This version does not answer the intent "${hello.intent}".`);
      }
      const mode: Mode = hello.intent === 'share' ? 'share' : 'replace';
      // A pool that is started at once comes all at once: its members wait for one another.
      while (mode === 'share' && (this.#standing.phase.is === 'offering' || this.#standing.phase.is === 'rehearsing')) {
        await this.#standing.phase.attempt.ended;
      }
      requireOwning(this.#standing.phase);
      const meeting: Meeting = { how: 'channel', candidate: { channel, hello }, pid: peer.pid, spawned: null };
      await this.#offer(mode, async () => async () => meeting);
    } catch (error) {
      // An offer that failed has said ABORT and closed the connection; this is for those that were never made.
      control.send('REFUSED', abortPayload(error));
      void (channel ?? control).end();
    }
  }

  // ---- leaving ----

  /** A drain without a successor: nobody to give connections to, and nobody whose death would call it off. */
  #drainAlone(reason: DrainReason, limits: DrainLimits, total: number): DrainOrder {
    return {
      limits,
      countdown: this.#count(total),
      reason,
      cancel: never,
      mover: null,
      noMoreComing: Promise.resolve(),
    };
  }

  /** A drain begins that may take so many milliseconds; one before it has nothing to end any more. */
  #count(total: number): Countdown {
    this.#countdown[Symbol.dispose]();
    this.#countdown = new Countdown(total);
    this.#drainBegan = performance.now();
    return this.#countdown;
  }

  /** A worker is nobody's without its primary: nobody serves with it any more. */
  async #leaveWithPrimary(): Promise<void> {
    await this.shutdown({ timeout: this.#settings.shutdownTimeout });
  }

  #stopAccepting(what: 'everything' | 'connections' = 'everything'): void {
    this.estate.stopAccepting(what);
    this.#control.leave();
    this.#draining.abort(new HandoffError('ERR_HANDOFF_ABORTED', 'This process is draining.'));
  }

  #closeListeners(): void {
    const alone = this.#standing.isAlone();
    for (const failure of this.estate.closeListeners(alone ? 'remove' : 'close')) this.#announcements.report(failure);
    if (alone) this.#closeControl('remove');
  }

  /** Drains, and either leaves or, where the successor dies meanwhile, serves again. */
  async #drainToEnd(
    reason: DrainReport['reason'],
    limits: DrainLimits,
    total: number,
    heir: {
      successor: Successor;
      pid: number;
      died: AbortSignal;
      mover: Mover | null;
      settled: Promise<unknown>;
    } | null,
  ): Promise<void> {
    const begun = performance.now();
    const cancel = heir?.died ?? never;
    const order = this.#drainAlone(reason === 'handoff' ? reason : 'shutdown', limits, total);
    const noMoreComing = Promise.all([
      heir?.settled,
      heir === null ? null : this.#standing.upstreamGone(),
      this.#drainHooks.done(order.countdown.over),
      // Nobody serves any more, and with this process a container or a service may end: theirs is as long as its own.
      reason === 'shutdown' && this.#standing.isAlone() ? this.#generations.gone() : null,
    ]);
    const over = new AbortController();
    // Whoever serves then is to know of this process, be its successor gone or one that drains itself.
    if (heir !== null) void heir.successor.leaving.then(() => this.#rejoin(over.signal));
    const cutOff = new CutOff();
    const end = await this.estate.drain({
      ...order,
      cancel,
      mover: heir?.mover ?? null,
      noMoreComing,
      onCutOff: (kind) => cutOff.add(kind),
    });
    over.abort();
    if (end.how === 'cancelled' && heir !== null) return this.#giveBack(heir.pid);
    this.#countdown[Symbol.dispose]();
    const counts = end.how === 'drained' ? end.counts : { moved: 0, drained: 0, forced: 0 };
    const report: DrainReport = { ...counts, duration: Math.round(performance.now() - begun), reason };
    // A successor that was called off has to be gone first: it holds the listeners, and nobody else would end it.
    await this.#offerEnded;
    await this.#finish(report, heir?.successor ?? null, cutOff);
  }

  /** Makes this process, which drains, known to whoever serves now. */
  #rejoin(over: AbortSignal): void {
    const path = this.#settings.control;
    if (path === null || over.aborted || !this.#standing.isIn('draining')) return;
    this.#announcements.inBackground(rejoin(path, this.generation, this.#answers, over));
  }

  async #finish(report: DrainReport, successor: Successor | null, cutOff: CutOff): Promise<void> {
    this.#standing.enter({
      is: 'left',
      toAnother: successor !== null || this.#standing.heir !== null || this.#standing.isGuest(),
    });
    this.#announcements.tell('drain', report);
    const hooks = this.#closeHooks.map((hook) =>
      Promise.resolve()
        .then(hook)
        .catch((error) => this.#announcements.report(error)),
    );
    // Those after the signal that has ended this process as well.
    const done = Promise.all([...hooks, this.#signals?.hooksDone()]);
    using deadline = Deadline.after(this.#settings.closeTimeout, 'The onClose hooks were not done');
    await untilAborted(done, deadline.signal).catch((error) => this.#announcements.report(error));
    await this.#life.leave();
    // Asked before they are told: they hang up then.
    const heirs = [successor, this.#standing.heir?.successor ?? null].filter((heir) => heir !== null);
    // While this process lives: nobody is ever to read the number of one that does not.
    if (successor === null && this.#standing.heir !== null) this.#pidFile.bequeath(this.#standing.heir?.pid as number);
    if (successor === null && this.#standing.heir !== null) passDebugger(this.#standing.heir.successor);
    for (const heir of heirs) await heir.drained({ ...report });
    const guest = this.#standing.isGuest();
    // A predecessor that still drains must have read that it is not to step in.
    if (this.#standing.upstream.is === 'connected') await this.#standing.upstream.takeover.leave();
    this.#letGo(
      heirs.length === 0 && !guest ? 'remove' : 'close',
      guest || heirs.some(({ inheritsControl }) => inheritsControl),
    );
    if (report.forced > 0) {
      process.emitWarning(
        `${report.forced} connection(s) were cut off with something unfinished after ${report.duration} ms of draining: ${cutOff}.`,
        { type: 'HandoffWarning', code: 'FD_HANDOFF_FORCED' },
      );
    }
    this.#settleClosed(report);
    // A process whose `ready()` has failed is ended by whoever called that, unless it was told to stop besides.
    const leaves = this.#settings.exit && (report.reason !== 'called-off' || this.#toldToStop !== null);
    const ownCode = report.reason === 'shutdown' && report.forced > 0 ? 1 : 0;
    const exitCode = this.#membership.depart(leaves ? ownCode : null);
    // Nothing is left that an attached debugger could keep waiting.
    if (!this.#membership.hasCompany) debuggerPort.close();
    if (exitCode !== null) await leave(exitCode);
  }

  /**
   * Closes everything that is held. Socket files are removed only where nobody is left to serve on them: of the
   * listeners where `how` says so, of the control path where it is open and nobody inherits it.
   */
  #letGo(how: 'close' | 'remove', controlIsInherited: boolean): void {
    // A process that leaves keeps its listeners for signals: without them the next SIGTERM would kill it, and it has left
    // in good order.
    if (!this.#settings.exit) this.#signals?.[Symbol.dispose]();
    this.#survival?.[Symbol.dispose]();
    this.#passed?.[Symbol.dispose]();
    this.#pidFile.remove();
    for (const failure of this.estate[how]()) this.#announcements.report(failure);
    this.#closeControl(controlIsInherited ? 'close' : 'remove');
  }

  #closeControl(how: 'close' | 'remove'): void {
    try {
      this.#control.close(how);
    } catch (error) {
      // A file that cannot be removed must not keep a process that is done.
      this.#announcements.report(error);
    }
  }

  #onPhase(change: PhaseChange): void {
    this.#reminder[Symbol.dispose]();
    this.#membership.noteChange();
    this.#life.entered(change.from, change.to);
    this.#announcements.publish('fd-handoff:phase', change);
  }
}

/** The port can be another's once this process has committed; it is closed here as soon as that harms nobody. */
function passDebugger(successor: Successor): void {
  const { address } = debuggerPort;
  if (address !== null && successor.passDebugger(address)) debuggerPort.promise();
}

/** A moment of `performance.now()` as a date; null where it never comes. */
function dateOf(moment: number): string | null {
  return Number.isFinite(moment) ? new Date(performance.timeOrigin + moment).toISOString() : null;
}

/** For a drain during which somebody else serves, or will soon: idle connections may stay as long as they like. */
function patientLimits(total: number): DrainLimits {
  return { idle: Number.POSITIVE_INFINITY, halfSent: Math.min(halfSentGrace, total) };
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

/** What was read of this process's environment, and removed, is for its successor as well. */
function successorEnvironment({ env }: Launch): NodeJS.ProcessEnv {
  return withGivenControl(withServiceVariables(env));
}
