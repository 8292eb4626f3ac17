/**
 * `handoff()`, and the class `Handoff`, which stands for the part that this process plays in the succession of servers.
 *
 * @module fd-handoff
 */
import type { Socket as DatagramSocket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { isMainThread } from 'node:worker_threads';
import { Announcements } from './app/announcements.ts';
import { healthListener } from './app/health.ts';
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
} from './app/options.ts';
import { type ProgramOptions, readProgramOptions } from './app/program-options.ts';
import type { HandoffStatus } from './app/status.ts';
import { readWorkersOptions, type WorkersOptions } from './app/workers-options.ts';
import { isClusterWorker } from './cluster/pool-membership.ts';
import { WorkerPool } from './cluster/worker-pool.ts';
import { requirePrimary } from './cluster/worker-process.ts';
import { HandoffError } from './fd/handoff-error.ts';
import { isSupported } from './fd/native.ts';
import type { OwnedFd } from './fd/owned-fd.ts';
import type { DrainReport, HandoffEvents } from './lifecycle/events.ts';
import { requireSupport } from './lifecycle/guards.ts';
import { Succession } from './lifecycle/succession.ts';
import { type Found, findPredecessor, findPrimary } from './meeting/predecessor-search.ts';
import { takeGivenControl } from './process/given-control.ts';
import { onLostOutput, protectStandardStreams } from './process/output/standard-output.ts';
import { roster } from './process/roster.ts';
import { HostedProgram } from './programs/hosted-program.ts';
import { requireMainThread } from './reexec/exec-in-place.ts';
import { currentRehearsal } from './rehearsal/rehearsal.ts';
import type {
  Adopter,
  Bound,
  BoundAddress,
  BoundListener,
  ConnectionHooks,
  ConnectionsLeave,
  DatagramOptions,
  Dependant,
  DrainReason,
  HoldOptions,
  InheritedDescriptor,
  Listening,
  ListenOptions,
  StateHooks,
  WantedListener,
} from './servers/index.ts';
import { HangUps } from './signals/hang-up.ts';
import type { SignalMap as SignalMapOf } from './signals/signal-map.ts';
import { type SignalHooks, SignalListeners } from './signals/signals.ts';
import { Service } from './systemd/service.ts';
import type { DrainingGeneration } from './transaction/drains/draining-generation.ts';
import type { StateValue } from './transaction/state.ts';

export type { DiagnosticsMessage, HandoffDiagnostics } from './app/diagnostics.ts';
export type {
  HandoffOptions,
  MoveOptions,
  ReexecOptions,
  ShutdownOptions,
  SystemdOptions,
  UpgradeOptions,
} from './app/options.ts';
export type { ProgramOptions } from './app/program-options.ts';
export type { DatagramSocketStatus, HandoffStatus, ListenerStatus } from './app/status.ts';
export type { WorkersOptions } from './app/workers-options.ts';
export type { Json } from './channel/frame.ts';
export type { FrameTrace, Utterance } from './channel/trace.ts';
export type { WorkerPool } from './cluster/worker-pool.ts';
export { HandoffError, type HandoffErrorCode, handoffErrorCodes } from './fd/handoff-error.ts';
export { isSupported } from './fd/native.ts';
export { OwnedFd } from './fd/owned-fd.ts';
export type { PeerCredentials } from './fd/peer-credentials.ts';
export type { DrainReport, HandoffEvents } from './lifecycle/events.ts';
export type { Commit, LifecycleHooks } from './lifecycle/hooks.ts';
export type { UnclaimedChoice } from './lifecycle/offered-listeners.ts';
export type { PhaseName } from './lifecycle/phase.ts';
export type { LostOutput } from './process/output/standard-output.ts';
export type { Exit } from './process/start/child.ts';
export type { Launch, LaunchOptions } from './process/start/launch.ts';
export { SuccessorError } from './process/start/successor-error.ts';
export type { HostedProgram } from './programs/hosted-program.ts';
export type { Convention } from './programs/program-variables.ts';
export type { Preflight, PreflightCheck, PreflightCommand } from './rehearsal/preflight.ts';
export type { SignalAction } from './signals/signal-map.ts';
export { type SignalPreset, signalPresets } from './signals/signal-presets.ts';
export type { SignalHooks } from './signals/signals.ts';
export type { PassedDescriptor } from './systemd/listen-fds.ts';
export type { DrainingGeneration, DrainWork, PendingAnswer } from './transaction/drains/draining-generation.ts';
export type { FileOwner } from './transaction/path/file-rights.ts';
export type { Mode, OfferPhase } from './transaction/predecessor.ts';
export type {
  Adopter,
  Bound,
  BoundAddress,
  BoundListener,
  ConnectionHooks,
  ConnectionsLeave,
  DatagramOptions,
  DrainReason,
  HoldOptions,
  InheritedDescriptor,
  Listening,
  ListenOptions,
  StateHooks,
  StateValue,
  WantedListener,
};

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
  readonly #announcements = new Announcements(this);
  readonly #signals: SignalListeners<Handoff> | null;
  readonly #succession: Succession;

  /** @internal Use `handoff()`. */
  constructor(settings: Settings, found: Found, service: Service | null) {
    super();
    const announcements = this.#announcements;
    this.#settings = settings;
    this.#signals =
      settings.signals === null
        ? null
        : new SignalListeners<Handoff>({
            map: settings.signals,
            app: this,
            repeatWithin: settings.repeatWithin,
            hangUps: () => HangUps.ofThisProcess(),
            act: (order) => this.#succession.onSignal(order, this),
            report: (error) => announcements.report(error),
          });
    this.#succession = new Succession({ settings, found, service, announcements, signals: this.#signals });
    this.generation = this.#succession.generation;
    this.predecessor = this.#succession.predecessor;
    this.rehearsal = this.#succession.isRehearsal;
    this.closed = this.#succession.closed;
    protectStandardStreams();
    const stopListening = onLostOutput((lost) => announcements.publish('fd-handoff:output', lost));
    void this.closed.then(stopListening);
  }

  /** Aborted at commit, shutdown or pause. After a give-back and at `'resume'` there is a new one. */
  get draining(): AbortSignal {
    return this.#succession.draining;
  }

  /**
   * Registers a `net`, `http`, `https` or `http2` server. Its listener is the predecessor's if that offered one for this
   * name or address, else a new one; it is bound at once, and nothing is accepted before `ready()`. In the middle of an
   * offer it waits for the end of that, as all that registers something does.
   *
   * @throws what binding throws (EADDRINUSE, EACCES …), ERR_HANDOFF_ALREADY_OWNED for a name that is taken,
   *   ERR_HANDOFF_ABORTED where a hook has failed, ERR_HANDOFF_NOT_READY from commit on, and while this process is paused
   */
  async listen(server: Server, options: ListenOptions): Promise<Listening> {
    await this.#succession.registering('listen');
    const { place } = await this.#succession.begin('listen', await this.#succession.estate.listen(server, options));
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
    await this.#succession.registering('bind');
    const { place } = await this.#succession.begin('bind', await this.#succession.estate.bind(socket, options));
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
    await this.#succession.registering('hold');
    const { name, address, inherited } = await this.#succession.estate.hold(options);
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
    await this.#succession.registering('workers');
    const pool = new WorkerPool(
      {
        ...readWorkersOptions(options, this.#settings),
        // They would need listeners, which a rehearsal has not.
        ...(this.rehearsal ? { count: 0 } : {}),
        generation: this.generation,
        listeners: () => this.#succession.estate.descriptors,
        stderr: () => this.#succession.standardError,
      },
      (error) => this.#announcements.report(error),
    );
    return this.#serveBy(pool);
  }

  /**
   * Runs a program that knows nothing of this library, with copies of what this process holds; resolves when it is ready.
   * From then on it is this process's way of serving: it is told to stop when this process drains, for a successor or for
   * good, and started again where that is taken back. Call it before `ready()`: it accepts then before the predecessor
   * stops.
   *
   * It is in a process group of its own, so that nothing that it has started outlives it, and is told to stop, too, where
   * this process is killed. What it does when it ends by itself is the caller's affair: see `HostedProgram.lost`.
   *
   * In a rehearsal nothing is run, and only looked for.
   *
   * @throws ERR_HANDOFF_EXEC_FAILED where there is no such program, ERR_HANDOFF_SUCCESSOR_EXITED (a `SuccessorError`) where
   *   it ended before it was ready, ERR_HANDOFF_TIMEOUT where it was not within `readyTimeout`: it is gone then
   */
  async program(options: ProgramOptions): Promise<HostedProgram> {
    requireSupport('program()');
    requirePrimary('program()');
    await this.#succession.registering('program');
    const program = new HostedProgram(
      {
        ...readProgramOptions(options, this.#settings),
        descriptors: () => this.#succession.estate.descriptors,
        stderr: () => this.#succession.standardError,
      },
      (error) => this.#announcements.report(error),
    );
    return this.rehearsal ? program.rehearse() : this.#serveBy(program);
  }

  /** Has other processes serve with copies of what this one holds. */
  async #serveBy<Others extends Dependant & { start(): Promise<void> }>(others: Others): Promise<Others> {
    const { estate } = this.#succession;
    estate.readyHeld();
    const part = estate.join(others);
    try {
      await others.start();
    } catch (error) {
      part();
      throw error;
    }
    return others;
  }

  /**
   * What came from the predecessor, or was passed to this process, and nobody here has registered yet: whoever calls
   * `hold({ name })` or `descriptor(name, …)` for each takes all of it, whatever it is. The rest is closed at `ready()`.
   */
  get inherited(): readonly InheritedDescriptor[] {
    return this.#succession.estate.inherited;
  }

  /**
   * Any other descriptor that goes from process to process: the predecessor's of that name, or the one that `open`
   * returns. Resolves with its number, which is borrowed: it is closed when this process leaves.
   */
  async descriptor(name: string, open: () => number | OwnedFd | Promise<number | OwnedFd>): Promise<number> {
    await this.#succession.registering('descriptor');
    return this.#succession.estate.descriptor(name, open);
  }

  /**
   * A value that goes from process to process. `restore` gets the predecessor's before this resolves (a `late` one when
   * it arrives); `save` makes the one for the successor. Resolves with whether the predecessor has one.
   */
  async state<Value extends StateValue>(name: string, hooks: StateHooks<Value>): Promise<boolean> {
    await this.#succession.registering('state');
    return this.#succession.estate.state(name, hooks as unknown as StateHooks);
  }

  /**
   * Registers who serves connections that the predecessor moves here under `route`. The socket's bytes start where the
   * predecessor stopped reading, those included that it had read and not used. `adopt` can be called before `ready()` has
   * resolved, and while this process itself hands over (`app.draining.aborted`): move it on then. One that throws refuses
   * the connection, which goes on in the predecessor; the error is reported.
   */
  connections(route: string, adopt: Adopter): void {
    this.#succession.adopter(route, adopt);
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
    if (this.#succession.phase.is !== 'draining' && this.#succession.phase.is !== 'draining-in-place') {
      throw new HandoffError(
        'ERR_HANDOFF_NOT_READY',
        `move() was called while this process is ${this.#succession.phase.is}: call it from the 'commit' event on, when there is a successor.`,
      );
    }
    if (socket instanceof TLSSocket) {
      throw new HandoffError(
        'ERR_HANDOFF_REFUSED',
        'A TLS session cannot be moved: its state is not in the descriptor.',
      );
    }
    const { mover } = this.#succession.phase;
    return mover === null ? false : this.#succession.estate.move(mover, { route, socket, head, data, timeout });
  }

  /**
   * Adds a hook that is called when this process begins to leave: with `'handoff'` where another one serves in its place,
   * a re-exec included, and with `'shutdown'` where it was told to stop. In the same turn as it stops accepting, so that
   * what the hook ends (WebSockets, event streams, a consumer) comes again where the next one accepts. One that is added
   * while this process leaves already is called at once. After a give-back it is called again, the next time.
   *
   * The process does not leave before its promise has settled, unless the time for the drain is over. What it throws is
   * reported as `'error'`. A pause is no leaving: for that there is `draining`.
   */
  onDrain(hook: (reason: DrainReason) => void | Promise<void>): void {
    this.#succession.onDrain(hook);
  }

  /** Adds a hook that is awaited before the process leaves, `closeTimeout` at most for all of them. */
  onClose(hook: () => void | Promise<void>): void {
    this.#succession.onClose(hook);
  }

  /**
   * Accepts on everything, tells the predecessor, and resolves when that has committed: this process is the owner.
   * Inherited descriptors that nobody claimed are closed.
   *
   * In a rehearsal it says that this version starts, and ends the process: it does not return.
   *
   * @throws ERR_HANDOFF_UNCLAIMED where this version serves nothing of what the predecessor has offered (see `unclaimed`);
   *   ERR_HANDOFF_ABORTED, ERR_HANDOFF_TIMEOUT and others when the predecessor called the handoff off. It serves on, what
   *   this process has accepted is drained, and the process should end
   */
  ready(): Promise<void> {
    return this.#succession.ready();
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
    return this.#succession.upgrade(options);
  }

  /**
   * Replaces this process's image by the next version, in place: the PID stays, as a container's PID 1 needs it. What is
   * in flight is finished first, up to `shutdownTimeout`; who connects meanwhile waits in the kernel's queue, and is served
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
    return this.#succession.reexec(options);
  }

  /**
   * Stops accepting, finishes what is in flight, and leaves. Resolves with the report, as `closed` does. Where others
   * serve on, an idle connection is not closed before its keep-alive timeout: a request may be on its way.
   */
  async shutdown(options: ShutdownOptions = {}): Promise<DrainReport> {
    checkOptions('shutdown()', options);
    if (options.timeout !== undefined) readTimeout('timeout', options.timeout);
    if (options.delay !== undefined) readTimeout('delay', options.delay);
    return this.#succession.shutdown(options);
  }

  /** Cuts off whatever a drain still waits for; without a drain, it shuts down at once. */
  hammer(): void {
    this.#succession.hammer();
  }

  /**
   * Stops accepting and finishes what is in flight, but stays: reachable on the control path, and with its listeners, so
   * that `resume()` can undo it. nginx calls it WINCH. Unless another process serves beside this one, whoever connects
   * waits in the kernel's queue. Nothing is cut off; idle connections are closed after `shutdownTimeout`. Resolves when
   * nothing is accepted any more.
   *
   * @throws ERR_HANDOFF_BUSY while a handoff runs, ERR_HANDOFF_NOT_READY before `ready()` and after commit
   */
  pause(): Promise<void> {
    return this.#succession.pause();
  }

  /**
   * Takes up service again after `pause()`. Resolves when it accepts; at once where it serves already.
   *
   * @throws ERR_HANDOFF_BUSY while a handoff runs, ERR_HANDOFF_NOT_READY before `ready()` and after commit,
   *   ERR_HANDOFF_ABORTED where it was told to stop meanwhile
   */
  resume(): Promise<void> {
    return this.#succession.resume();
  }

  /** What this process is doing, as JSON; read from memory, at any time. The control path answers with the same. */
  status(): HandoffStatus {
    return this.#succession.status();
  }

  /**
   * What each generation waits for that still drains, this process included where it does: asks them, and resolves within
   * a second or so. One that is stopped or hangs is `'silent'`, one of an earlier version `'unasked'`.
   */
  drainingGenerations(): Promise<DrainingGeneration[]> {
    return this.#succession.drainingGenerations();
  }

  /**
   * A request listener for load balancers. It answers 200 as long as this process serves or another one in its place: a
   * handoff is not a shutdown. 503 when the service ends here, is paused with nobody beside it, or has not begun. A
   * shutdown closes the listeners at once, so that only who is connected still reads it there; a server of its own, which
   * is not given to `listen()`, answers to the end.
   */
  health(): (request: IncomingMessage, response: ServerResponse) => void {
    return healthListener(() => ({
      healthy: this.#succession.isServed,
      pid: process.pid,
      generation: this.generation,
      phase: this.#succession.phase.is,
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
}

/**
 * Finds the process that serves now and receives what it offers, or starts fresh. The predecessor serves on until
 * `ready()`.
 *
 * @throws ERR_HANDOFF_BUSY, ERR_HANDOFF_NOT_READY, ERR_HANDOFF_UNTRUSTED_PEER and others when there is a predecessor that
 *   refuses: it serves on, and this process should end; ERR_HANDOFF_ALREADY_OWNED where this process has the control path
 *   already, by another call
 */
export async function handoff(options: HandoffOptions = {}): Promise<Handoff> {
  const settings = readOptions(options);
  if (!isMainThread && settings.signals !== null) {
    throw new HandoffError(
      'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
      'handoff() was called in a worker thread, which gets no signals: give { signals: false }, or call it in the main thread.',
    );
  }
  const given = takeGivenControl();
  const own = {
    ...settings,
    // Who is named by the PID file and reached on the control path is a worker's primary.
    ...(isWorker() ? { control: null, pidFile: null, share: true } : {}),
    // It is one path, and so for one of them.
    ...(!isWorker() && roster.next === 0 && given !== null ? { control: given } : {}),
  };
  const ordinal = roster.begin(own.control);
  try {
    return await begin(own, ordinal);
  } catch (error) {
    roster.giveUp(own.control);
    throw error;
  }
}

/** Makes the process's part from what there is before it. */
async function begin(settings: Settings, ordinal: number): Promise<Handoff> {
  if (isWorker()) return new Handoff(settings, await findPrimary(settings.readyTimeout), null);
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
    passed: settings.systemd === null ? 'but-listen-fds' : 'all',
    inherit: settings.inherit,
  });
  return new Handoff(settings, found, service);
}

/** Whether this process has its listeners from the one that has forked it. */
function isWorker(): boolean {
  return isClusterWorker() && isSupported();
}
