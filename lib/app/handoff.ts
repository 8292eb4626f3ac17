import type { Socket as DatagramSocket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { WorkerPool } from '../cluster/worker-pool.ts';
import { requirePrimary } from '../cluster/worker-process.ts';
import { HandoffError } from '../fd/handoff-error.ts';
import {
  checkCommand,
  checkOptions,
  type MoveOptions,
  type ReexecOptions,
  type ShutdownOptions,
  type UpgradeOptions,
} from '../lifecycle/contract/call-options.ts';
import type { DrainReport, HandoffEvents } from '../lifecycle/contract/events.ts';
import type { Settings } from '../lifecycle/contract/settings.ts';
import { readTimeout } from '../lifecycle/contract/timeout.ts';
import { requireSupport } from '../lifecycle/parts/guards.ts';
import type { HandoffStatus } from '../lifecycle/parts/status.ts';
import { Succession } from '../lifecycle/succession.ts';
import type { Found } from '../meeting/predecessor-search.ts';
import { onLostOutput, protectStandardStreams } from '../process/output/standard-output.ts';
import { HostedProgram } from '../programs/hosted-program.ts';
import { requireMainThread } from '../reexec/exec-in-place.ts';
import type {
  Adopter,
  Bound,
  DatagramOptions,
  Dependant,
  DescriptorOpener,
  DescriptorOptions,
  DrainReason,
  HoldOptions,
  InheritedDescriptor,
  Listening,
  ListenOptions,
  StateHooks,
} from '../servers/index.ts';
import { HangUps } from '../signals/hang-up.ts';
import type { SignalMap as SignalMapOf } from '../signals/signal-map.ts';
import { type SignalHooks, SignalListeners } from '../signals/signals.ts';
import type { Service } from '../systemd/service.ts';
import type { DrainingGeneration } from '../transaction/drains/draining-generation.ts';
import { withFileFor } from '../transaction/path/service-files.ts';
import type { StateValue } from '../transaction/state.ts';
import { Announcements } from './announcements.ts';
import type { Diagnostics, DiagnosticsMessage as MessageOf } from './diagnostics.ts';
import { healthListener } from './health.ts';
import { type ProgramOptions, readProgramOptions } from './program-options.ts';
import { readWorkersOptions, type WorkersOptions } from './workers-options.ts';

/**
 * How long a move waits for what the application has written, in milliseconds. Nothing is read meanwhile, and a client
 * that writes first and reads later may be waiting for just that: it must not wait for the whole drain.
 */
const moveTimeout = 5_000;

/** What each signal does: an action by name, or a function that is called with the process's `Handoff`. */
export type SignalMap = SignalMapOf<Handoff>;

/** Which signals do what. */
export interface SignalSettings {
  readonly map: SignalMap;
  /** For how long after a signal others that order the same are the same order, in milliseconds. */
  readonly repeatWithin: number;
}

/** What every message on a diagnostics channel has but that of a frame: who publishes it, since a process may have several. */
export interface DiagnosticsMessage extends MessageOf<Handoff> {}

/**
 * What each channel of `node:diagnostics_channel` publishes, by the channel's name. Subscribers are called in the middle of
 * a step: one that takes long delays it. What one throws is an uncaught exception (`channel.publish()` in Node).
 */
export interface HandoffDiagnostics extends Diagnostics<Handoff> {}

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
  constructor(settings: Settings, signals: SignalSettings | null, found: Found, service: Service | null) {
    super();
    const announcements = this.#announcements;
    this.#settings = settings;
    this.#signals =
      signals === null
        ? null
        : new SignalListeners<Handoff>({
            map: signals.map,
            app: this,
            repeatWithin: signals.repeatWithin,
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
    const wanted = withFileFor(this.#settings.user, options);
    const { place } = await this.#succession.begin('listen', await this.#succession.estate.listen(server, wanted));
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
    const { name, address, inherited } = await this.#succession.estate.hold(withFileFor(this.#settings.user, options));
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
        reopenings: this.#succession.reopenings,
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
   *
   * With `{ reopen: true }` it is a log file, which others rename: `open` is called again at `'reopen'`, and in a successor,
   * and the number leads to the new file from then on. With `{ stdio: true }` what is written to standard output and
   * standard error goes there as well. A log that is written by several processes has to be opened for appending (`'a'`).
   *
   * @throws what `open` throws; ERR_HANDOFF_ALREADY_OWNED for a name that is taken
   */
  async descriptor(name: string, open: DescriptorOpener, options: DescriptorOptions = {}): Promise<number> {
    await this.#succession.registering('descriptor');
    return this.#succession.estate.descriptor(name, open, options);
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
    if (this.#succession.phase !== 'draining' && this.#succession.phase !== 'draining-in-place') {
      throw new HandoffError(
        'ERR_HANDOFF_NOT_READY',
        `move() was called while this process is ${this.#succession.phase}: call it from the 'commit' event on, when there is a successor.`,
      );
    }
    if (socket instanceof TLSSocket) {
      throw new HandoffError(
        'ERR_HANDOFF_REFUSED',
        'A TLS session cannot be moved: its state is not in the descriptor.',
      );
    }
    const { mover } = this.#succession;
    return mover === null ? false : this.#succession.estate.moved.move(mover, { route, socket, head, data, timeout });
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
      phase: this.#succession.phase,
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
