import type { Socket as DatagramSocket } from 'node:dgram';
import { channel as diagnosticsChannel } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import { isMainThread } from 'node:worker_threads';
import { Attempt } from './attempt.ts';
import { abortReason, Deadline, untilAborted } from './channel/deadline.ts';
import { ControlPost } from './control-post.ts';
import type { DrainReport, HandoffEvents } from './events.ts';
import { HandoffError } from './fd/handoff-error.ts';
import { isSupported } from './fd/native.ts';
import type { OwnedFd } from './fd/owned-fd.ts';
import { requireOwning, requirePhase, requireRegistering, requireServing, requireSupport } from './guards.ts';
import type { Arriving } from './handoff/connection-transfer.ts';
import { JoinedInheritance } from './handoff/joined-inheritance.ts';
import { controlName, type ManifestEntry } from './handoff/manifest.ts';
import { abortPayload, type Mode, makeOffer, type OfferPhase, type Successor } from './handoff/predecessor.ts';
import { Reception, type Visitor } from './handoff/reception.ts';
import { introductionLine } from './handoff/rehearsed-inheritance.ts';
import type { SavedState, StateValue } from './handoff/state.ts';
import type { PredecessorEnd, Retirement, Takeover } from './handoff/successor.ts';
import { healthListener } from './health.ts';
import { Hooks } from './hooks.ts';
import {
  checkCommand,
  checkOptions,
  type HandoffOptions,
  type MoveOptions,
  type ReexecOptions,
  readOptions,
  readTimeout,
  type Settings,
  type ShutdownOptions,
  type UpgradeOptions,
} from './options.ts';
import { Pause } from './pause.ts';
import { causeOf, isOwning, type Owning, type Phase, pauseOf, type Upstream } from './phase.ts';
import { PidFilePost } from './pid-file-post.ts';
import type { CapturedStderr } from './process/captured-stderr.ts';
import { execInPlace, imageOf, requireMainThread } from './process/exec-in-place.ts';
import { flushOutput, leave } from './process/leave.ts';
import { endFailed, type Meeting, startSuccessor, successionOf } from './process/meeting.ts';
import { isClusterWorker, leaveWithPrimary } from './process/pool-membership.ts';
import { type Found, findPredecessor, findPrimary } from './process/predecessor-search.ts';
import { defaultPreflight, type Preflight, passPreflight } from './process/preflight.ts';
import { currentRehearsal, type Rehearsal } from './process/rehearsal.ts';
import { type Membership, roster } from './process/roster.ts';
import type { SignalMap as SignalMapOf } from './process/signal-map.ts';
import { type SignalHooks, SignalListeners, type SignalOrder } from './process/signals.ts';
import { isOwnProgram, type Launch, launchOf } from './process/start.ts';
import { recordForExec, type Survival } from './process/survival.ts';
import { PassedInheritance } from './process/systemd/passed-inheritance.ts';
import { Service, withServiceVariables } from './process/systemd/service.ts';
import { WorkerPool } from './process/worker-pool.ts';
import { requirePrimary } from './process/worker-process.ts';
import {
  type Adopter,
  type Bound,
  type BoundAddress,
  type DatagramOptions,
  type DrainLimits,
  type DrainOrder,
  descriptorOf,
  Estate,
  type FateOfClosed,
  type HoldOptions,
  type Listening,
  type ListenOptions,
  Mover,
  type Receiver,
  type Served,
  type StateHooks,
  Survivors,
} from './servers/index.ts';
import { ServiceLife } from './service-life.ts';
import { actOnSignal, replaces } from './signal-actions.ts';
import { type HandoffStatus, statusOf } from './status.ts';
import { warnOfUnclaimed, warnOfUnclaimedPassed } from './unclaimed-warning.ts';
import { readWorkersOptions, type WorkersOptions } from './workers-options.ts';

export type { Json } from './channel/frame.ts';
export type { DrainReport, HandoffEvents } from './events.ts';
export { HandoffError, type HandoffErrorCode } from './fd/handoff-error.ts';
export { isSupported } from './fd/native.ts';
export { OwnedFd } from './fd/owned-fd.ts';
export type { PeerCredentials } from './fd/peer-credentials.ts';
export type { FileOwner } from './handoff/file-rights.ts';
export type { LifecycleHooks } from './hooks.ts';
export type {
  HandoffOptions,
  MoveOptions,
  ReexecOptions,
  ShutdownOptions,
  SystemdOptions,
  UpgradeOptions,
} from './options.ts';
export type { Preflight, PreflightCheck, PreflightCommand } from './process/preflight.ts';
export type { SignalAction } from './process/signal-map.ts';
export { type SignalPreset, signalPresets } from './process/signal-presets.ts';
export type { SignalHooks } from './process/signals.ts';
export type { Launch, LaunchOptions } from './process/start.ts';
export { SuccessorError } from './process/successor-error.ts';
export type { WorkerPool } from './process/worker-pool.ts';
export type { DatagramSocketStatus, HandoffStatus, ListenerStatus } from './status.ts';
export type { WorkersOptions } from './workers-options.ts';
export type {
  Adopter,
  Bound,
  BoundAddress,
  DatagramOptions,
  HoldOptions,
  Listening,
  ListenOptions,
  StateHooks,
  StateValue,
};

/**
 * How long idle connections may stay at a shutdown, in milliseconds. A request that was on the wire when the listener
 * closed arrives within a round trip; a second covers the slow ones, and keeps Ctrl-C short. At a replacement they
 * may stay for their whole keep-alive timeout: nobody waits for the predecessor's end.
 */
const shutdownIdleGrace = 1_000;

/**
 * How long a client may take to finish a request that it has begun when the drain begins. Ten seconds are more than a
 * slow phone needs for a head, and a third of the default drain.
 */
const halfSentGrace = 10_000;

/**
 * How much longer than its own deadline a predecessor may take to answer the newline. It answers at once, or its
 * deadline expires and it says ABORT; a predecessor that does neither is stopped, and will find the connection closed.
 */
const decisionGrace = 1_000;

/** Never aborts. */
const never = new AbortController().signal;

/**
 * How long a move waits for what the application has written, in milliseconds. Nothing is read meanwhile, and a client
 * that writes first and reads later may be waiting for just that: it must not wait for the whole drain.
 */
const moveTimeout = 5_000;

/** What each signal does: an action by name, or a function that is called with the process's `Handoff`. */
export type SignalMap = SignalMapOf<Handoff>;

/** The part that this process plays in the succession of servers. Made by `handoff()`. */
export class Handoff extends EventEmitter<HandoffEvents> {
  /** 0 for the first process, one more for every handoff. */
  readonly generation: number;
  /** The process that this one replaces, or stands beside; null on a fresh start. */
  readonly predecessor: { readonly pid: number; readonly generation: number } | null;
  /**
   * Whether this process only shows that its version starts (a preflight): nothing is bound, inherited or restored, and
   * the process ends at `ready()`. What the application does before that is real, so it should do no more than it must.
   */
  readonly rehearsal: boolean;
  /** Settles, and never rejects, when this process is drained. */
  readonly closed: Promise<DrainReport>;

  readonly #settings: Settings;
  readonly #estate: Estate;
  readonly #hooks: Hooks;
  readonly #control: ControlPost;
  readonly #pidFile: PidFilePost;
  readonly #signals: SignalListeners<Handoff> | null;
  readonly #membership: Membership;
  readonly #takeover: Takeover | null;
  readonly #survival: Survival | null;
  readonly #rehearsal: Rehearsal | null;
  readonly #passed: PassedInheritance | null;
  readonly #life: ServiceLife;
  readonly #force = new AbortController();
  readonly #closeHooks: (() => void | Promise<void>)[] = [];
  #phase: Phase = { is: 'starting' };
  #upstream: Upstream = { is: 'none' };
  /** The real standard error, while descriptor 2 leads to the predecessor. */
  readonly #stderr: CapturedStderr | null;
  /** A successor beside this process, which inherits its role when it leaves. */
  #heir: { readonly successor: Successor; readonly pid: number } | null = null;
  #draining = new AbortController();
  /** Whether `ready()` has been done: before that the predecessor owns what this process holds. */
  #tookOver = false;
  /** Told to stop while it drained for a successor: if that dies, nothing is to be served again. */
  #toldToStop = false;
  /** Settles when the last offer is over, its failed successor included. */
  #offerEnded: Promise<void> = Promise.resolve();
  #settleClosed: (report: DrainReport) => void = () => {};

  /** @internal Use `handoff()`. */
  constructor(settings: Settings, found: Found, service: Service | null) {
    super();
    this.#settings = settings;
    const takeover = found.is === 'takeover' ? found.takeover : null;
    const former = found.is === 'survival' ? found.survival : found.is === 'rehearsal' ? found.inheritance : takeover;
    this.#passed = passedTo(found, service);
    const inheritance =
      former !== null && this.#passed !== null ? new JoinedInheritance(former, this.#passed) : (former ?? this.#passed);
    this.#takeover = takeover;
    this.#survival = found.is === 'survival' ? found.survival : null;
    this.#rehearsal = found.is === 'rehearsal' ? found.rehearsal : null;
    this.rehearsal = this.#rehearsal !== null;
    this.#stderr = found.is === 'takeover' ? found.stderr : null;
    const control = found.is === 'fresh' ? found.control : (this.#survival?.take(controlName)?.descriptor ?? null);
    this.generation = inheritance?.generation ?? 0;
    this.predecessor = inheritance?.predecessor ?? null;
    this.#hooks = new Hooks(settings.hooks, settings, this.rehearsal);
    this.#estate = new Estate(inheritance, {
      binding: isClusterWorker() ? 'inherits-only' : 'binds',
      hooks: this.#hooks,
      fateOfClosed: () => this.#fateOfClosed(),
      onForgotten: () => this.#life.keep(),
    });
    if (isClusterWorker()) leaveWithPrimary(() => this.#inBackground(this.shutdown()));
    this.#life = new ServiceLife({
      service,
      estate: this.#estate,
      generation: this.generation,
      keepsAll: settings.systemd?.keepsAll ?? false,
      report: (error) => this.#report(error),
    });
    this.#life.begin(found, settings.readyTimeout);
    const reception = new Reception({
      descriptorOf,
      authorize: settings.authorize,
      onVisitor: (visitor) => void this.#receive(visitor),
      onRefusal: (error, peer) => diagnosticsChannel('fd-handoff:refusal').publish({ error, peer }),
    });
    this.#control = new ControlPost(settings.control, control, reception);
    this.#pidFile = new PidFilePost(settings.pidFile, (error) => this.#report(error));
    void takeover?.predecessorLost.then(() => this.#restoreStderr());
    takeover?.calledOff.addEventListener('abort', () => this.#letGoIfStarting(), { once: true });
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#membership = roster.join({
      listens: settings.signals !== null,
      exits: settings.exit,
      owns: () => !this.#isIn('draining') && !this.#isIn('shutting-down') && !this.#isIn('left'),
    });
    this.#signals =
      settings.signals === null
        ? null
        : new SignalListeners<Handoff>({
            map: settings.signals,
            app: this,
            act: (order) => this.#onSignalOrder(order),
            report: (error) => this.#report(error),
          });
  }

  /** Aborted at commit, shutdown or pause. After a give-back and at `'resume'` there is a new one. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  /**
   * Registers a `net`, `http`, `https` or `http2` server. Its listener is the predecessor's if that offered one for this
   * name or address, else a new one; it is bound at once, and nothing is accepted before `ready()`.
   *
   * @throws what binding throws (EADDRINUSE, EACCES …), ERR_HANDOFF_ALREADY_OWNED for a name that is taken,
   *   ERR_HANDOFF_ABORTED where a hook has failed
   */
  async listen(server: Server, options: ListenOptions): Promise<Listening> {
    requireRegistering(this.#phase, 'listen');
    const { place } = await this.#begin('listen', await this.#estate.listen(server, options));
    return { name: place.name, ...place.address, inherited: place.inherited };
  }

  /**
   * Registers a `dgram` socket, of either type for a Unix `path`. It is bound to the predecessor's if that offered one for
   * this name or address, else to a new one: at once, so that it can send and join groups; nothing is received before
   * `ready()`. From commit on the predecessor receives nothing more. It can still send until it leaves and closes it, and
   * `onClose()` makes that wait for the answers that it owes.
   *
   * Groups, options and the peer belong to the socket that both share: to join again what is joined is EADDRINUSE.
   *
   * @throws what binding throws (EADDRINUSE, EACCES …), ERR_HANDOFF_ALREADY_OWNED for a name or a path that is taken and for
   *   a socket that was bound by itself, ERR_HANDOFF_UNSUPPORTED_PLATFORM for a path on a runtime that cannot receive there,
   *   ERR_HANDOFF_REFUSED in a worker
   */
  async bind(socket: DatagramSocket, options: DatagramOptions): Promise<Bound> {
    requirePrimary('bind()');
    requireRegistering(this.#phase, 'bind');
    const { place } = await this.#begin('bind', await this.#estate.bind(socket, options));
    const { name, address, inherited, peer } = place;
    return { name, ...address, inherited, ...(peer === null ? {} : { peer }) };
  }

  /**
   * Holds a listener, the predecessor's or a new one, without accepting on it, for others to accept with copies of it: the
   * workers of `workers()`, or processes with `{ share: true }`. It goes over like those of `listen()`. Who connects while
   * nobody accepts waits in the kernel's queue.
   *
   * @throws what binding throws (EADDRINUSE, EACCES …), ERR_HANDOFF_ALREADY_OWNED for a name that is taken,
   *   ERR_HANDOFF_REFUSED in a worker
   */
  async hold(options: HoldOptions): Promise<Listening> {
    requireSupport('hold()');
    requirePrimary('hold()');
    requireRegistering(this.#phase, 'hold');
    const { name, address, inherited } = await this.#estate.hold(options);
    return { name, ...address, inherited };
  }

  /**
   * Forks workers by `node:cluster`, each with copies of what this process holds; resolves when all of them are ready. In
   * a worker `handoff()` and `listen()` are called as anywhere, and the listener is the primary's of that name or address.
   * Call it before `ready()`: a successor's workers then accept before this process's are told to leave, with it.
   *
   * A worker that ends is replaced, after a pause that grows while that fails; `'error'` tells of it.
   *
   * @throws ERR_HANDOFF_SUCCESSOR_EXITED (a `SuccessorError`), ERR_HANDOFF_TIMEOUT and others when one of them fails: all
   *   are ended then; ERR_HANDOFF_REFUSED in a worker
   */
  async workers(options: WorkersOptions = {}): Promise<WorkerPool> {
    requireSupport('workers()');
    requirePrimary('workers()');
    requireRegistering(this.#phase, 'workers');
    const pool = new WorkerPool(
      {
        ...readWorkersOptions(options, this.#settings),
        // They would need listeners, which a rehearsal has not.
        ...(this.rehearsal ? { count: 0 } : {}),
        generation: this.generation,
        listeners: () => this.#estate.descriptors,
        stderr: () => this.#stderr?.meant ?? 2,
      },
      (error) => this.#report(error),
    );
    this.#estate.readyHeld();
    const part = this.#estate.join(pool);
    try {
      await pool.start();
    } catch (error) {
      part();
      throw error;
    }
    return pool;
  }

  /**
   * Any other descriptor that goes from process to process: the predecessor's of that name, or the one that `open`
   * returns. Resolves with its number, which is borrowed: it is closed when this process leaves.
   */
  descriptor(name: string, open: () => number | OwnedFd | Promise<number | OwnedFd>): Promise<number> {
    requireRegistering(this.#phase, 'descriptor');
    return this.#estate.descriptor(name, open);
  }

  /**
   * A value that goes from process to process. `restore` gets the predecessor's before this resolves (a `late` one when
   * it arrives); `save` makes the one for the successor. Resolves with whether the predecessor has one.
   */
  state<Value extends StateValue>(name: string, hooks: StateHooks<Value>): Promise<boolean> {
    requireRegistering(this.#phase, 'state');
    return this.#estate.state(name, hooks as unknown as StateHooks);
  }

  /**
   * Registers who serves connections that the predecessor moves here under `route`. The socket's bytes start where the
   * predecessor stopped reading, those included that it had read and not used. `adopt` can be called before `ready()` has
   * resolved, and while this process itself hands over (`app.draining.aborted`): move it on then. One that throws refuses
   * the connection, which goes on in the predecessor; the error is reported.
   */
  connections(route: string, adopt: Adopter): void {
    requireRegistering(this.#phase, 'connections');
    this.#estate.adopter(route, adopt);
  }

  /**
   * Gives an established connection to the successor, whose `connections(route, …)` serves it: for protocols that this
   * library cannot judge, from the `'commit'` event on. Move at a message boundary: what the protocol's own parser
   * holds in memory does not go along, only `head` does. HTTP connections need no call.
   *
   * From the call on nothing is read from the socket, and the application must not write to it. What it has written
   * before is waited for; what Node has read of the connection and the application has not goes along by itself.
   *
   * Resolves with true when the successor has adopted it: this process's socket is destroyed then (its 'close' follows),
   * and the client notices nothing. With false when it has not, because it has no such route, is at its limit of
   * descriptors, died or refused, or because the socket was closed or could not write in time: the connection goes on
   * here as before, and what was not read yet is read here.
   *
   * @throws ERR_HANDOFF_NOT_READY without a successor; ERR_HANDOFF_REFUSED for a TLS socket, for one that an HTTP server
   *   reads, and for more than 8 MiB of `data` and `head`
   */
  async move(route: string, socket: Socket, options: MoveOptions = {}): Promise<boolean> {
    checkOptions('move()', options);
    const { data = null, head = Buffer.alloc(0), timeout = moveTimeout } = options;
    readTimeout('timeout', timeout);
    if (this.#phase.is !== 'draining' && this.#phase.is !== 'draining-in-place') {
      throw new HandoffError(
        'ERR_HANDOFF_NOT_READY',
        `move() was called while this process is ${this.#phase.is}: call it from the 'commit' event on, when there is a successor.`,
      );
    }
    if (socket instanceof TLSSocket) {
      throw new HandoffError(
        'ERR_HANDOFF_REFUSED',
        'A TLS session cannot be moved: its state is not in the descriptor.',
      );
    }
    const { mover } = this.#phase;
    return mover === null ? false : this.#estate.move(mover, { route, socket, head, data, timeout });
  }

  /** Adds a hook that is awaited before the process leaves, `closeTimeout` at most for all of them. */
  onClose(hook: () => void | Promise<void>): void {
    this.#closeHooks.push(hook);
  }

  /**
   * Accepts on everything, tells the predecessor, and resolves when that has committed: this process is the owner.
   * Inherited descriptors that nobody claimed are closed.
   *
   * In a rehearsal it says that this version starts, and ends the process: it does not return.
   *
   * @throws ERR_HANDOFF_ABORTED, ERR_HANDOFF_TIMEOUT and others when the predecessor called the handoff off: it serves
   *   on, what this process has accepted is drained, and the process should end
   */
  async ready(): Promise<void> {
    if (this.#phase.is !== 'starting') {
      throw new HandoffError('ERR_HANDOFF_NOT_READY', `ready() was called twice: this process is ${this.#phase.is}.`);
    }
    this.#enter({ is: 'taking-over' });
    if (this.#rehearsal !== null) return this.#rehearsal.succeed();
    const takeover = this.#takeover;
    let unclaimed: readonly ManifestEntry[];
    try {
      if (takeover?.calledOff.aborted === true) throw abortReason(takeover.calledOff);
      await this.#estate.accept();
      requirePhase(this.#phase, 'taking-over');
      // The decision closes what nobody took.
      unclaimed = this.#unclaimed();
      if (takeover !== null) await this.#decide(takeover);
      else if (this.#survival === null) this.#pidFile.start();
      else this.#pidFile.write();
      requirePhase(this.#phase, 'taking-over');
    } catch (error) {
      if (this.#isIn('taking-over')) await this.#renounce(error);
      throw error;
    }
    this.#enter({ is: 'serving' });
    this.#tookOver = true;
    for (const failure of this.#estate.claim()) this.#report(failure);
    this.#adoptAll(this.#survival?.takeConnections() ?? []);
    this.#survival?.[Symbol.dispose]();
    warnOfUnclaimedPassed(this.#passed?.unclaimed ?? []);
    this.#passed?.[Symbol.dispose]();
    this.#restoreStderr();
    // Without its control path the process still serves, so this failing is no reason to give the service up.
    await this.#openControl(takeover).catch((error) => this.#report(error));
    this.#life.ready(takeover === null || takeover.mode === 'replace', unclaimed);
    await this.#acceptLate();
  }

  /**
   * Starts the next version and hands everything over to it. Resolves with its process id at commit, when this process
   * has stopped accepting and drains. With `preflight` it is tried first, for as long as `readyTimeout` besides.
   *
   * @throws ERR_HANDOFF_BUSY while another handoff runs, ERR_HANDOFF_NOT_READY before `ready()` and after commit,
   *   ERR_HANDOFF_EXEC_FAILED when the program cannot be started, ERR_HANDOFF_SUCCESSOR_EXITED (a `SuccessorError` with
   *   exit status and the end of its standard error), ERR_HANDOFF_TIMEOUT. In every case this process serves on.
   */
  async upgrade(options: UpgradeOptions = {}): Promise<number> {
    requireSupport('upgrade()');
    requirePrimary('upgrade()');
    checkOptions('upgrade()', options);
    checkCommand(options);
    const mode = options.keep === true ? 'keep' : 'replace';
    const prepare = async (signal: AbortSignal) => {
      const launch = await this.#hooks.beforeSpawn(launchOf(options), signal);
      await this.#passPreflight(options.preflight ?? false, launch, signal);
      // Another program may know nothing of this library, and gets what it needs to serve without it.
      const listeners = options.command === undefined && isOwnProgram(launch) ? null : this.#estate.descriptors;
      const stderr = options.stderr ?? (isOwnProgram(launch) ? 'capture' : 'inherit');
      const { ordinal } = this.#membership;
      return (deadline: AbortSignal) =>
        startSuccessor({ ...launch, env: withServiceVariables(launch.env), stderr, ordinal, listeners }, deadline);
    };
    return this.#offer(mode, prepare, options.signal);
  }

  /**
   * Replaces this process's image by the next version, in place: the PID stays, as a container's PID 1 needs it. What is
   * in flight is finished first, up to `drainTimeout`; who connects meanwhile waits in the kernel's queue, and is served
   * by the next image, and so are connections that are between two requests (or that the application moves, as at a
   * handoff). Returns only by rejecting.
   *
   * Before anything is stopped the next version has to pass the `preflight`. That the program files are the same when the
   * image is replaced a moment later is the deployment's affair: an image that fails then is an outage.
   *
   * @throws ERR_HANDOFF_EXEC_FAILED when the program cannot be run, or in a worker thread; what a failed preflight says
   *   (`SuccessorError`, ERR_HANDOFF_ABORTED, ERR_HANDOFF_TIMEOUT); ERR_HANDOFF_BUSY and ERR_HANDOFF_NOT_READY as
   *   `upgrade()` does. This process serves on then.
   */
  async reexec(options: ReexecOptions = {}): Promise<never> {
    requireSupport('reexec()');
    requirePrimary('reexec()');
    requireMainThread();
    checkOptions('reexec()', options);
    checkCommand(options);
    requireServing(this.#phase, 'reexec()');
    if (this.#membership.hasCompany) {
      throw new HandoffError(
        'ERR_HANDOFF_BUSY',
        'reexec() replaces the whole process, and would take its other handoffs along without handing them over: call their shutdown() first, or use upgrade().',
      );
    }
    if (this.#heir !== null || this.#standsBeside()) {
      throw new HandoffError(
        'ERR_HANDOFF_BUSY',
        'reexec() cannot be called while another process serves beside this one (upgrade({ keep: true })): end one of the two first.',
      );
    }
    const survivors = new Survivors();
    const mover = new Mover((batch) => survivors.send(batch));
    const attempt = new Attempt(options.signal);
    this.#enter({ is: 'rehearsing', attempt });
    this.#offerEnded = attempt.ended;
    let image: Launch;
    try {
      image = imageOf(await this.#hooks.beforeSpawn(launchOf(options), attempt.signal));
      await this.#passPreflight(options.preflight ?? defaultPreflight(image), image, attempt.signal);
      requirePhase(this.#phase, 'rehearsing');
      this.#enter({ is: 'draining-in-place', mover, survivors });
    } catch (error) {
      this.#life.rolledBack(error as Error);
      this.#tell('rollback', { error: error as Error });
      throw error;
    } finally {
      this.#endAttempt(attempt, { is: 'serving' });
    }
    const { drainTimeout } = this.#settings;
    try {
      using deadline = Deadline.after(drainTimeout, 'The state was not saved');
      const early = await untilAborted(this.#estate.save('early'), deadline.signal);
      this.#stopAccepting();
      this.#tell('commit', { pid: process.pid, mode: 'replace' });
      const noMoreComing = this.#upstreamGone();
      await this.#estate.drain({ ...this.#drainAlone(this.#handoffLimits()), mover, noMoreComing });
      using lateDeadline = Deadline.after(drainTimeout, 'The late state was not saved');
      const late = await untilAborted(this.#estate.save('late'), lateDeadline.signal);
      await flushOutput();
      requirePhase(this.#phase, 'draining-in-place');
      // A predecessor that still drains would take the end of the connection for a death, and serve again.
      if (this.#upstream.is === 'connected') await this.#upstream.takeover.leave();
      requirePhase(this.#phase, 'draining-in-place');
      return this.#exec(image, [...early, ...late], survivors);
    } catch (error) {
      if (this.#isIn('draining-in-place')) await this.#serveAgain();
      this.#adoptAll(survivors.release());
      this.#life.rolledBack(error as Error);
      this.#tell('rollback', { error: error as Error });
      throw error;
    }
  }

  /**
   * Stops accepting, finishes what is in flight, and leaves. Resolves with the report, as `closed` does. Where others
   * serve on, an idle connection is not closed before its keep-alive timeout: a request may be on its way.
   */
  async shutdown(options: ShutdownOptions = {}): Promise<DrainReport> {
    checkOptions('shutdown()', options);
    const { timeout = this.#settings.drainTimeout, delay: notice = this.#settings.shutdownDelay } = options;
    readTimeout('timeout', timeout);
    readTimeout('delay', notice);
    if (notice > 0 && this.#isIn('announcing')) return this.closed;
    if (notice > 0 && this.#isIn('serving') && this.#heir === null && !this.#isGuest()) {
      this.#enter({ is: 'announcing' });
      await delay(notice);
      // A successor that has come meanwhile is let through: nobody is refused then.
      await this.#offerEnded;
    }
    const othersServe = this.#heir !== null || this.#isGuest();
    return this.#shutDown(timeout, othersServe ? Number.POSITIVE_INFINITY : shutdownIdleGrace);
  }

  /** @param idle after how many milliseconds idle connections are closed */
  async #shutDown(timeout: number, idle: number): Promise<DrainReport> {
    const phase = this.#phase;
    const pause = pauseOf(phase);
    if (phase.is === 'draining' || phase.is === 'shutting-down' || phase.is === 'left') {
      this.#toldToStop = true;
      return this.closed;
    }
    if (phase.is === 'offering' || phase.is === 'rehearsing') {
      phase.attempt.callOff(new HandoffError('ERR_HANDOFF_ABORTED', 'This process is shutting down.'));
    }
    this.#enter({ is: 'shutting-down' });
    // Before `ready()` is done there is a predecessor that serves: closing the connection leaves it the owner.
    if (phase.is === 'starting' || phase.is === 'taking-over') {
      this.#takeover?.abort(new HandoffError('ERR_HANDOFF_ABORTED', 'The successor was told to shut down.'));
    }
    if (this.#upstream.is === 'connected') this.#upstream.takeover.release();
    const owner = phase.is !== 'starting' && phase.is !== 'taking-over';
    this.#stopAccepting(owner && this.#isAlone() ? 'connections' : 'everything');
    // Whoever connects from now on is to be refused, and not to wait in a queue that nobody serves. And whoever starts
    // from now on is to find the path free.
    if (owner) this.#closeListeners();
    // What was set aside for an image that will not be is served to its end here.
    if (phase.is === 'draining-in-place') this.#adoptAll(phase.survivors.release());
    if (pause !== null) await pause.end();
    await this.#drainToEnd('shutdown', { idle, halfSent: halfSentGrace, total: timeout }, null);
    return this.closed;
  }

  /** Cuts off whatever a drain still waits for; without a drain, it shuts down at once. */
  hammer(): void {
    this.#force.abort();
    this.#inBackground(this.shutdown({ timeout: 0, delay: 0 }));
  }

  /**
   * Stops accepting and finishes what is in flight, but stays: reachable on the control path, and with its listeners, so
   * that `resume()` can undo it. nginx calls it WINCH. Unless another process serves beside this one, whoever connects
   * waits in the kernel's queue. Nothing is cut off; idle connections are closed after `drainTimeout`. Resolves when
   * nothing is accepted any more.
   *
   * @throws ERR_HANDOFF_BUSY while a handoff runs, ERR_HANDOFF_NOT_READY before `ready()` and after commit
   */
  async pause(): Promise<void> {
    if (this.#isIn('paused')) return;
    requireServing(this.#phase, 'pause()');
    const { drainTimeout } = this.#settings;
    this.#estate.stopAccepting();
    const limits = { ...this.#handoffLimits(), idle: drainTimeout, total: Number.POSITIVE_INFINITY };
    // The hammer is for the drain of the shutdown that it brings, which counts what it cuts off.
    const order = { ...this.#drainAlone(limits), force: never, noMoreComing: this.#upstreamGone() };
    const pause = new Pause((cancel) => this.#estate.drain({ ...order, cancel }));
    this.#enter({ is: 'paused', pause });
    this.#draining.abort(new HandoffError('ERR_HANDOFF_ABORTED', 'This process is paused.'));
    this.#tell('pause');
  }

  /**
   * Takes up service again after `pause()`. Resolves when it accepts; at once where it serves already.
   *
   * @throws ERR_HANDOFF_BUSY while a handoff runs, ERR_HANDOFF_NOT_READY before `ready()` and after commit,
   *   ERR_HANDOFF_ABORTED where it was told to stop meanwhile
   */
  async resume(): Promise<void> {
    if (!this.#isIn('paused')) return requireServing(this.#phase, 'resume()');
    const pause = pauseOf(this.#phase);
    this.#enter({ is: 'serving' });
    await pause?.end();
    await this.#acceptAgain();
    if (this.#isIn('shutting-down') || this.#isIn('left')) {
      // What began to accept while it was told to stop must not go on.
      this.#estate.stopAccepting();
      throw new HandoffError('ERR_HANDOFF_ABORTED', 'This process was told to shut down while it was resuming.');
    }
    await this.#acceptLate();
    this.#tell('resume');
  }

  /** What this process is doing, as JSON; read from memory, at any time. The control path answers with the same. */
  status(): HandoffStatus {
    const { generation, predecessor } = this;
    const { control } = this.#settings;
    return statusOf({ generation, predecessor, phase: this.#phase.is, control, estate: this.#estate });
  }

  /**
   * A request listener for load balancers. It answers 200 as long as this process serves or another one in its place: a
   * handoff is not a shutdown. 503 when the service ends here, is paused with nobody beside it, or has not begun. A
   * shutdown closes the listeners at once, so that only who is connected still reads it there; a server of its own, which
   * is not given to `listen()`, answers to the end.
   */
  health(): (request: IncomingMessage, response: ServerResponse) => void {
    return healthListener(() => ({
      healthy: this.#isServed(),
      pid: process.pid,
      generation: this.generation,
      phase: this.#phase.is,
    }));
  }

  /**
   * Runs something before and after what `signal` does; also for a signal that does nothing else. Hooks run in the order
   * in which they were added and are awaited, ten seconds at most for those before and as long for those after. One that
   * throws is reported as `'error'`; before `upgrade`, `keep` and `reexec` it also prevents them, and never a stop.
   *
   * @throws RangeError for a signal that there is not, or that cannot be caught; ERR_HANDOFF_REFUSED with
   *   `signals: false`
   */
  onSignal(signal: NodeJS.Signals, hooks: SignalHooks): void {
    if (this.#signals === null) {
      throw new HandoffError(
        'ERR_HANDOFF_REFUSED',
        `onSignal("${signal}") was called with { signals: false }, which leaves all signals to the application: use process.on(), or give a map.`,
      );
    }
    this.#signals.addHooks(signal, hooks);
  }

  #onSignalOrder(order: SignalOrder): void | Promise<void> {
    if (this.#rehearsal !== null) return this.#rehearsal.onSignal(order.action);
    return actOnSignal(order, this, {
      paused: this.#isIn('paused'),
      leads: this.#membership.leads,
      reopen: (signal) => this.#tell('reopen', { signal }),
      report: (error) => {
        if (replaces(order)) this.#life.declined(error);
        this.#report(error);
      },
    });
  }

  /**
   * A late one is served at once, as with `server.listen()`; one that comes in the middle of something else when that is
   * over.
   */
  async #begin<Registered extends Served | Receiver>(what: string, registered: Registered): Promise<Registered> {
    try {
      if (this.#phase.is === 'serving') {
        await registered.accept();
        this.#life.keep();
      } else if (!this.#isIn('starting') && !this.#isIn('taking-over') && !this.#isAttempting()) {
        requireRegistering(this.#phase, what);
      }
      return registered;
    } catch (error) {
      // Who connects would wait in a queue that nobody serves.
      this.#estate.discard(registered);
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
    if (inherited !== null) this.#control.inherit(inherited.descriptor);
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
    if (decision === 'committed') this.#upstream = { is: 'connected', takeover, gone };
    takeover.settle({
      onConnection: (connection) => this.#mayAdopt() && this.#adopt(connection),
      onLateState: (state: SavedState) => this.#estate.restoreLate(state).catch((error) => this.#report(error)),
      // It can come in one piece with COMMITTED: ready() resolves first, or a worker that did its part would fail by that.
      onRetire: (retirement) => setImmediate(() => this.#retire(retirement)),
      onEnd: (end) => {
        leave();
        this.#inBackground(this.#afterPredecessor(takeover, end));
      },
    });
  }

  /** The primary wants this worker to leave. */
  #retire({ timeout, idle }: Retirement): void {
    if (timeout === 0) {
      this.hammer();
      return;
    }
    // It may be leaving by a signal already, which went to the primary as well: only that knows that nobody serves on.
    if (idle !== null) setTimeout(() => this.#estate.closeIdle(), idle).unref();
    this.#inBackground(this.#shutDown(timeout, idle ?? Number.POSITIVE_INFINITY));
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
    return this.#estate.adopt(connection, (error) => this.#report(error));
  }

  /** The same for connections that nobody else has: what this version cannot serve is closed. */
  #adoptAll(connections: readonly Arriving[]): void {
    for (const connection of connections) if (!this.#adopt(connection)) connection.descriptor.close();
  }

  /** Accepts on the control path, except beside an owner who does. */
  async #openControl(takeover: Takeover | null): Promise<void> {
    if (takeover?.mode === 'keep' && this.#upstream.is === 'connected') return;
    await this.#control.open();
  }

  /** The predecessor is gone. One that stood beside this process leaves its role, unless it gave that to another. */
  async #afterPredecessor(takeover: Takeover, end: PredecessorEnd): Promise<void> {
    this.#upstream = { is: 'none' };
    if (isClusterWorker()) await this.shutdown();
    if (takeover.mode !== 'keep') return;
    if (end.how !== 'released') this.#life.inherit();
    if (end.how === 'released') {
      this.#closeControl('close');
    } else if (this.#isOwner()) {
      this.#pidFile.writeIfFree(end.how === 'died' ? takeover.predecessor.pid : null);
      await this.#openControl(takeover);
    }
  }

  /** The predecessor called the handoff off before `ready()`, which will say so: until then nothing is to be held. */
  #letGoIfStarting(): void {
    if (this.#phase.is === 'starting') this.#estate.close();
  }

  /** `ready()` failed: the predecessor stays the owner, and what was accepted here is finished. */
  async #renounce(error: unknown): Promise<void> {
    this.#takeover?.abort(error);
    this.#enter({ is: 'shutting-down' });
    this.#stopAccepting();
    for (const failure of this.#estate.withdraw()) this.#report(failure);
    await this.#drainToEnd('called-off', this.#handoffLimits(), null);
    this.#restoreStderr();
  }

  /** Until commit the end of standard error goes to the predecessor, who reports a failure with it. */
  #restoreStderr(): void {
    this.#stderr?.restore();
  }

  // ---- as a predecessor ----

  /** A handoff is over, whatever it came to: without a successor this process is what it was `before`. */
  #endAttempt(attempt: Attempt, before: Owning): void {
    if (this.#isAttempting()) this.#enter(before);
    attempt.end();
    if (this.#isIn('serving')) this.#inBackground(this.#acceptLate());
  }

  /** Resolves when the next version may be started. */
  #passPreflight(preflight: Preflight, launch: Launch, signal: AbortSignal): Promise<void> {
    const introduction = introductionLine(this.generation, this.#estate.descriptors);
    return passPreflight(preflight, { launch, introduction, timeout: this.#settings.readyTimeout, signal });
  }

  /**
   * One handoff, from its beginning to commit. Whatever goes wrong on the way, this process has served all the while and
   * serves on.
   *
   * @param prepare resolves with what brings the candidate, whose time starts only then
   */
  async #offer(
    mode: Mode,
    prepare: (signal: AbortSignal) => Promise<(signal: AbortSignal) => Promise<Meeting>>,
    outer?: AbortSignal,
  ): Promise<number> {
    const before = requireOwning(this.#phase);
    const attempt = new Attempt(outer);
    this.#enter({ is: 'offering', before, attempt });
    this.#life.offering(mode);
    this.#offerEnded = attempt.ended;
    let meeting: Meeting | null = null;
    try {
      const meet = await prepare(attempt.signal);
      using deadline = Deadline.after(this.#settings.readyTimeout, 'The successor was not ready', attempt.signal);
      meeting = await meet(deadline.signal);
      const { pid, spawned } = meeting;
      const tell = (phase: OfferPhase) => this.#tell('offer', { pid, mode, phase });
      if (meeting.how === 'channel') await makeOffer(meeting.candidate, this.#offerTo(mode), deadline.signal, tell);
      else tell('ready');
      // A shutdown that came while the newline was on its way has the last word.
      requirePhase(this.#phase, 'offering');
      spawned?.detach();
      if (mode === 'replace') this.#commit(meeting);
      else this.#standBeside(meeting, mode);
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
      this.#control.is === 'open' && (mode === 'replace' || (mode === 'keep' && this.#heir === null))
        ? this.#control.named
        : [];
    return {
      mode,
      generation: this.generation,
      descriptors: [...this.#estate.descriptors, ...control],
      states: this.#estate.stateEntries,
      saveStates: () => this.#estate.save('early'),
      readyTimeout: this.#settings.readyTimeout,
    };
  }

  /** The newline was read: this process stops accepting, keeps its copies, and drains. One step, without a pause. */
  #commit(meeting: Meeting): void {
    const { pid } = meeting;
    const successor = successionOf(meeting, (names) => this.#estate.abandon(names));
    const mover = successor.takesConnections ? new Mover((batch) => successor.sendConnections(batch)) : null;
    const pause = pauseOf(this.#phase);
    this.#enter({ is: 'draining', successor, mover });
    // Upstream first: whoever drains for us must not step in when this process leaves.
    if (this.#upstream.is === 'connected') this.#upstream.takeover.release();
    this.#heir?.successor.release();
    this.#stopAccepting();
    // A program that knows nothing of this library knows nothing of the file either.
    if (meeting.how === 'ready') this.#pidFile.bequeath(pid);
    this.#life.committed(meeting);
    successor.committed(this.#settings.drainTimeout, 'replace');
    this.#inBackground(this.#drainForSuccessor(successor, pid, mover, pause));
    this.#tell('commit', { pid, mode: 'replace' });
  }

  /** The newline was read from a successor that serves beside this process. */
  #standBeside(meeting: Meeting, mode: Mode): void {
    const successor = successionOf(meeting, () => {});
    successor.committed(0, mode);
    this.#tell('commit', { pid: meeting.pid, mode });
    this.#inBackground(this.#hooks.afterCommit({ pid: meeting.pid, mode }));
    if (mode !== 'keep' || !successor.inheritsControl || this.#heir !== null) {
      this.#inBackground(successor.drained({}));
      return;
    }
    this.#heir = { successor, pid: meeting.pid };
    this.#life.besides(meeting.pid);
    void successor.departure.then(() => {
      if (this.#heir?.successor === successor) {
        this.#heir = null;
        this.#life.besides(null);
      }
      this.#inBackground(this.#serveForHeir());
    });
  }

  /** The successor beside this process is gone. If that is why this one paused, nobody serves any more (as nginx does). */
  async #serveForHeir(): Promise<void> {
    await this.#offerEnded;
    if (this.#isIn('paused') && this.#heir === null) await this.resume();
  }

  /** What is left to do when a handoff has failed; returns the error with everything that is known. */
  async #rollBack(meeting: Meeting | null, error: unknown): Promise<Error> {
    let failure = error instanceof Error ? error : new Error(String(error));
    if (meeting?.how === 'channel') void meeting.candidate.channel.end();
    if (meeting !== null && meeting.spawned !== null) failure = await endFailed(meeting.spawned, failure);
    this.#estate.reassert();
    this.#life.rolledBack(failure);
    this.#tell('rollback', { error: failure });
    return failure;
  }

  /** After commit: late state, the drain, the last word. Or the give-back, when the successor dies before that. */
  async #drainForSuccessor(successor: Successor, pid: number, mover: Mover | null, pause: Pause | null): Promise<void> {
    if (pause !== null) await pause.end();
    const died = new AbortController();
    void successor.departure.then((departure) => {
      if (departure === 'died') died.abort();
    });
    const said = this.#sendLateStates(successor, died.signal).catch((error) => this.#report(error));
    const limits = this.#handoffLimits();
    const hooked = this.#hooks.afterCommit({ pid, mode: 'replace' }).catch((error) => this.#report(error));
    // Until the others are the successor's too, it may still fail as a whole, and everything is given back.
    const settled = Promise.all([said, hooked, successor.settled, this.#membership.othersHandedOver()]);
    await this.#drainToEnd('handoff', limits, { successor, pid, died: died.signal, mover, settled });
  }

  async #sendLateStates(successor: Successor, died: AbortSignal): Promise<void> {
    using deadline = Deadline.after(this.#settings.drainTimeout, 'The late state was not sent', died);
    // What the predecessor has promised and not sent yet is part of what is handed on.
    await untilAborted(this.#takeover?.lateStatesRestored ?? Promise.resolve(), deadline.signal);
    await successor.lateStates(await untilAborted(this.#estate.save('late'), deadline.signal), deadline.signal);
  }

  /** The successor died while this process drained: it serves again, unless it was told to stop meanwhile. */
  async #giveBack(pid: number): Promise<void> {
    this.#pidFile.write();
    if (this.#toldToStop) {
      this.#enter({ is: 'shutting-down' });
      const limits = { idle: shutdownIdleGrace, halfSent: halfSentGrace, total: this.#settings.drainTimeout };
      return this.#drainToEnd('shutdown', limits, null);
    }
    await this.#serveAgain();
    this.#tell('give-back', { pid });
    if (this.#toldToStop) await this.shutdown();
  }

  /** Undoes a drain, unless this process is told to stop while it does. */
  async #serveAgain(): Promise<void> {
    await this.#acceptAgain();
    if (!this.#isIn('shutting-down')) await this.#openControl(null).catch((error) => this.#report(error));
    if (this.#isIn('shutting-down') || this.#isIn('left')) {
      // What began to accept meanwhile must not go on.
      this.#stopAccepting();
      return;
    }
    this.#enter({ is: 'serving' });
  }

  /** On doubt everywhere it can. */
  async #acceptAgain(): Promise<void> {
    if (this.#draining.signal.aborted) this.#draining = new AbortController();
    this.#signals?.forgetStops();
    this.#estate.reassert();
    for (const failure of await this.#estate.acceptAgain()) this.#report(failure);
  }

  /** Accepts on what was registered while something else was under way. */
  async #acceptLate(): Promise<void> {
    for (const failure of await this.#estate.acceptWaiting()) this.#report(failure);
    this.#life.keep();
  }

  #exec(image: Launch, states: readonly SavedState[], { connections }: Survivors): never {
    const descriptors = [...this.#estate.descriptors, ...this.#control.named];
    using record = recordForExec(this.generation, descriptors, states, connections);
    const surviving = [...descriptors.map(({ fd }) => fd), ...connections.map(({ descriptor }) => descriptor.fd)];
    return execInPlace({ ...image, env: this.#life.environmentAfterExec(image.env) }, record, surviving);
  }

  async #receive(visitor: Visitor): Promise<void> {
    const { hello, control, channel, peer } = visitor;
    try {
      if (hello.intent === 'status') {
        control.send('STATUS', this.status());
        void control.end();
        return;
      }
      if (channel === null) {
        throw new HandoffError('ERR_HANDOFF_REFUSED', `This version does not answer the intent "${hello.intent}".`);
      }
      const mode: Mode = hello.intent === 'share' ? 'share' : 'replace';
      // A pool that is started at once comes all at once: its members wait for one another.
      while (mode === 'share' && (this.#phase.is === 'offering' || this.#phase.is === 'rehearsing')) {
        await this.#phase.attempt.ended;
      }
      requireOwning(this.#phase);
      const meeting: Meeting = { how: 'channel', candidate: { channel, hello }, pid: peer.pid, spawned: null };
      await this.#offer(mode, async () => async () => meeting);
    } catch (error) {
      // An offer that failed has said ABORT and closed the connection; this is for those that were never made.
      control.send('REFUSED', abortPayload(error));
      void (channel ?? control).end();
    }
  }

  // ---- leaving ----

  /** For a drain during which somebody else serves already, or soon: idle connections may stay as long as they like. */
  #handoffLimits(): DrainLimits {
    const { drainTimeout } = this.#settings;
    return {
      idle: Number.POSITIVE_INFINITY,
      halfSent: Math.min(halfSentGrace, drainTimeout),
      total: drainTimeout,
    };
  }

  /**
   * A predecessor that still drains moves its connections here, and they go on from here: not before it is gone can this
   * process be.
   */
  #upstreamGone(): Promise<void> {
    const upstream = this.#upstream;
    return upstream.is === 'connected' && upstream.takeover.mode === 'replace' ? upstream.gone : Promise.resolve();
  }

  /** Whether this process serves beside the owner that has started it, and would inherit its role. */
  #standsBeside(): boolean {
    return this.#upstream.is === 'connected' && this.#upstream.takeover.mode === 'keep';
  }

  /** Whether the one that this process came to serves on by itself: then what both hold is not this process's to remove. */
  #isGuest(): boolean {
    if (this.#takeover === null) return false;
    return !this.#tookOver || this.#takeover.mode === 'share' || this.#standsBeside();
  }

  /** Whether nobody else serves what this process does. */
  #isAlone(): boolean {
    return this.#heir === null && !this.#isGuest();
  }

  /** What becomes of the listener of a server that the application closes by itself: that is how it takes one out. */
  #fateOfClosed(): FateOfClosed {
    if (this.#isIn('starting') || this.#isIn('taking-over')) return 'return';
    if (this.#isIn('offering')) return 'later';
    if (!isOwning(this.#phase)) return 'nothing';
    return this.#isAlone() ? 'remove' : 'close';
  }

  /** A drain without a successor: nobody to give connections to, and nobody whose death would call it off. */
  #drainAlone(limits: DrainLimits): DrainOrder {
    return { limits, force: this.#force.signal, cancel: never, mover: null, noMoreComing: Promise.resolve() };
  }

  #stopAccepting(what: 'everything' | 'connections' = 'everything'): void {
    this.#estate.stopAccepting(what);
    this.#control.leave();
    this.#draining.abort(new HandoffError('ERR_HANDOFF_ABORTED', 'This process is draining.'));
  }

  #closeListeners(): void {
    const alone = this.#isAlone();
    for (const failure of this.#estate.closeListeners(alone ? 'remove' : 'close')) this.#report(failure);
    if (alone) this.#closeControl('remove');
  }

  /** Drains, and either leaves or, where the successor dies meanwhile, serves again. */
  async #drainToEnd(
    reason: DrainReport['reason'],
    limits: DrainLimits,
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
    const noMoreComing = Promise.all([heir?.settled, heir === null ? null : this.#upstreamGone()]);
    const end = await this.#estate.drain({
      limits,
      force: this.#force.signal,
      cancel,
      mover: heir?.mover ?? null,
      noMoreComing,
    });
    if (end.how === 'cancelled' && heir !== null) return this.#giveBack(heir.pid);
    const counts = end.how === 'drained' ? end.counts : { moved: 0, drained: 0, forced: 0 };
    const report: DrainReport = { ...counts, duration: Math.round(performance.now() - begun), reason };
    // A successor that was called off has to be gone first: it holds the listeners, and nobody else would end it.
    await this.#offerEnded;
    await this.#finish(report, heir?.successor ?? null);
  }

  async #finish(report: DrainReport, successor: Successor | null): Promise<void> {
    this.#enter({ is: 'left', toAnother: successor !== null || this.#heir !== null || this.#isGuest() });
    this.#tell('drain', report);
    const hooks = this.#closeHooks.map((hook) =>
      Promise.resolve()
        .then(hook)
        .catch((error) => this.#report(error)),
    );
    // Those after the signal that has ended this process as well.
    const done = Promise.all([...hooks, this.#signals?.hooksDone()]);
    using deadline = Deadline.after(this.#settings.closeTimeout, 'The onClose hooks were not done');
    await untilAborted(done, deadline.signal).catch((error) => this.#report(error));
    await this.#life.leave();
    // Asked before they are told: they hang up then.
    const heirs = [successor, this.#heir?.successor ?? null].filter((heir) => heir !== null);
    // While this process lives: nobody is ever to read the number of one that does not.
    if (successor === null && this.#heir !== null) this.#pidFile.bequeath(this.#heir?.pid as number);
    for (const heir of heirs) await heir.drained({ ...report });
    const guest = this.#isGuest();
    // A predecessor that still drains must have read that it is not to step in.
    if (this.#upstream.is === 'connected') await this.#upstream.takeover.leave();
    this.#letGo(
      heirs.length === 0 && !guest ? 'remove' : 'close',
      guest || heirs.some(({ inheritsControl }) => inheritsControl),
    );
    if (report.forced > 0) {
      process.emitWarning(
        `${report.forced} connection(s) were cut off with something unfinished after ${report.duration} ms of draining.`,
        { type: 'HandoffWarning', code: 'FD_HANDOFF_FORCED' },
      );
    }
    this.#settleClosed(report);
    // A process whose `ready()` has failed is ended by whoever called that, unless it was told to stop besides.
    const leaves = this.#settings.exit && (report.reason !== 'called-off' || this.#toldToStop);
    const ownCode = report.reason === 'shutdown' && report.forced > 0 ? 1 : 0;
    const exitCode = this.#membership.depart(leaves ? ownCode : null);
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
    for (const failure of this.#estate[how]()) this.#report(failure);
    this.#closeControl(controlIsInherited ? 'close' : 'remove');
  }

  #closeControl(how: 'close' | 'remove'): void {
    try {
      this.#control.close(how);
    } catch (error) {
      // A file that cannot be removed must not keep a process that is done.
      this.#report(error);
    }
  }

  // ---- small change ----

  /** Whether it is in that phase now, whatever it was in before something else was awaited. */
  #isIn(phase: Phase['is']): boolean {
    return this.#phase.is === phase;
  }

  /** Whether clients are served, by this process or by another one in its place. */
  #isServed(): boolean {
    switch (this.#phase.is) {
      case 'serving':
      case 'rehearsing':
      case 'draining':
      case 'draining-in-place':
        return true;
      case 'offering':
        return this.#phase.before.is === 'serving' || this.#heir !== null;
      case 'starting':
      case 'taking-over':
        return this.#takeover !== null;
      case 'paused':
      case 'announcing':
      case 'shutting-down':
        return this.#heir !== null || this.#isGuest();
      case 'left':
        return this.#phase.toAnother;
    }
  }

  #isOwner(): boolean {
    return this.#isAttempting() || isOwning(this.#phase);
  }

  /** Whether a handoff has begun, and nothing was stopped for it. */
  #isAttempting(): boolean {
    return this.#isIn('offering') || this.#isIn('rehearsing');
  }

  /** The one place where the phase changes. */
  #enter(phase: Phase): void {
    const from = this.#phase.is;
    const cause = causeOf(from, phase.is);
    this.#phase = phase;
    this.#membership.noteChange();
    this.#life.entered(from, phase.is);
    diagnosticsChannel('fd-handoff:phase').publish({ from, to: phase.is, cause });
  }

  /** Whether a connection that the predecessor moves would be served here, or by a successor that takes it on. */
  #mayAdopt(): boolean {
    const { is } = this.#phase;
    return is !== 'starting' && is !== 'shutting-down' && is !== 'left';
  }

  /** The owner, with nothing else under way: the phase to return to. Throws where it is not. */
  #tell<Name extends Exclude<keyof HandoffEvents, 'error'>>(name: Name, ...[payload]: HandoffEvents[Name]): void {
    diagnosticsChannel(`fd-handoff:${name}`).publish(payload);
    try {
      (this as EventEmitter).emit(name, payload);
    } catch (error) {
      // A listener of the application must not decide over the service.
      this.#report(error);
    }
  }

  /** For what nobody awaits: its failure is reported, and changes nothing else. */
  #inBackground(work: Promise<unknown>): void {
    work.catch((error) => this.#report(error));
  }

  #report(error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    diagnosticsChannel('fd-handoff:error').publish({ error: failure });
    if (this.listenerCount('error') === 0) {
      const { code = 'FD_HANDOFF_ERROR' } = failure as NodeJS.ErrnoException;
      process.emitWarning(failure.message, { type: 'HandoffWarning', code });
      return;
    }
    try {
      this.emit('error', failure);
    } catch (thrown) {
      // As fatal as any uncaught error, but not in the middle of a step that must not stop half-way.
      process.nextTick(() => {
        throw thrown;
      });
    }
  }
}

/**
 * Finds the process that serves now and receives what it offers, or starts fresh. The predecessor serves on until
 * `ready()`.
 *
 * @throws ERR_HANDOFF_BUSY, ERR_HANDOFF_NOT_READY, ERR_HANDOFF_UNTRUSTED_PEER and others when there is a predecessor that
 *   refuses: it serves on, and this process should end
 */
export async function handoff(options: HandoffOptions = {}): Promise<Handoff> {
  const settings = readOptions(options);
  if (!isMainThread && settings.signals !== null) {
    throw new HandoffError(
      'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
      'handoff() was called in a worker thread, which gets no signals: give { signals: false }, or call it in the main thread.',
    );
  }
  const ordinal = roster.begin();
  try {
    return await begin(settings, ordinal);
  } catch (error) {
    roster.giveUp();
    throw error;
  }
}

/** Makes the process's part from what there is before it. */
async function begin(settings: Settings, ordinal: number): Promise<Handoff> {
  // Who is named by the PID file and reached on the control path is a worker's primary.
  if (isClusterWorker() && isSupported()) {
    const own = { ...settings, control: null, pidFile: null, share: true };
    return new Handoff(own, await findPrimary(settings.readyTimeout), null);
  }
  // Told before anything is taken over.
  settings.pidFile?.check();
  if (!isSupported()) return new Handoff(settings, { is: 'fresh', control: null, passed: [] }, null);
  const service =
    settings.systemd === null || currentRehearsal() !== null ? null : Service.take(settings.systemd.store);
  const found = await findPredecessor({
    control: settings.control,
    intent: settings.share ? 'share' : 'takeover',
    ordinal,
    timeout: settings.readyTimeout,
    passed: settings.systemd !== null,
  });
  return new Handoff(settings, found, service);
}

/** What the service manager has passed to a process that found this. */
function passedTo(found: Found, service: Service | null): PassedInheritance | null {
  if (!('passed' in found) || found.passed.length === 0) return null;
  const offered = found.is === 'takeover' ? found.takeover.held : [];
  return new PassedInheritance(found.passed, service?.controlGroup ?? '', offered);
}
