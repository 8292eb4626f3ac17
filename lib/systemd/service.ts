import { takeVariable } from '../process/start/environment.ts';
import type { Keeper } from '../transaction/keeper.ts';
import type { NamedDescriptor } from '../transaction/manifest.ts';
import { controlGroupOf } from './control-group.ts';
import { DescriptorStore, storeSizeVariable, takeStoreSize } from './descriptor-store.ts';
import { type Assignments, NotifySocket, notifySocketVariable } from './notify.ts';
import { moreTime, TimeoutExtension } from './timeout-extension.ts';
import { takeWatchdogInterval, Watchdog, watchdogVariable } from './watchdog.ts';

/** Set by systemd since 248 to the process that it has started, so that one further down can tell. systemd.exec(5). */
const startedVariable = 'SYSTEMD_EXEC_PID';

/** What of a service is kept across a crash, and whether at all where the manager does not say that it has a store. */
export type StoreChoice = 'where-offered' | 'always' | 'never';

/**
 * What this process is to the manager. Only the main process says anything: under `NotifyAccess=main`, the default,
 * nobody else is heard, and under any other nobody else should be.
 */
type Role =
  /** Another process is the main one; this one may become it. */
  | { readonly is: 'beside' }
  | { readonly is: 'main'; readonly does: 'start' | 'serve' | 'reload' | 'stop' }
  /** Another process is the main one since this one has said so. `told` settles when the manager has read it. */
  | { readonly is: 'former'; readonly told: Promise<void> };

/**
 * The manager's variables, once they were read. They are the process's: whichever of its handoffs starts a successor, that
 * is to have them.
 */
let variables: NodeJS.ProcessEnv = {};

/** An environment with the manager's variables, where there is a manager: for one that is to speak for the service. */
export function withServiceVariables(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...variables, ...environment };
}

/** This process as a part of a systemd service: what the manager is told, and what it keeps. */
export class Service implements Disposable {
  /** By which services are told apart. */
  readonly controlGroup: string;
  readonly #socket: NotifySocket;
  readonly #watchdog: Watchdog | null;
  readonly #store: DescriptorStore | null;
  readonly #extension: TimeoutExtension;
  /** Hears of what could not be told or kept; the service goes on. */
  onFailure: (error: Error) => void = warn;
  #role: Role = { is: 'beside' };
  /** What of this process the manager keeps, by the names here. */
  #kept: ReadonlyMap<string, Keeper> = new Map();

  private constructor(path: string, interval: number | null, store: number | null) {
    this.controlGroup = controlGroupOf('self') ?? '';
    this.#socket = new NotifySocket(path, (error) => this.onFailure(error));
    this.#watchdog = interval === null ? null : new Watchdog(this.#socket, interval);
    this.#store = store === null ? null : new DescriptorStore(this.#socket, store);
    this.#extension = new TimeoutExtension(this.#socket);
  }

  /**
   * Reads the manager's variables and removes them, so that nobody whom this process starts speaks for the service;
   * `withServiceVariables` puts them back for a successor. Null where there is no manager that can be told anything.
   */
  static take(choice: StoreChoice, environment: NodeJS.ProcessEnv = process.env): Service | null {
    const path = takeVariable(environment, notifySocketVariable);
    const interval = takeWatchdogInterval(environment);
    const size = takeStoreSize(environment);
    if (path === undefined || path === '') return null;
    const stores = choice === 'always' || (choice === 'where-offered' && size !== null && size > 0);
    try {
      const service = new Service(path, interval, stores ? (size ?? Number.POSITIVE_INFINITY) : null);
      variables = {
        [notifySocketVariable]: path,
        // Without WATCHDOG_PID, which nobody knows of a successor before it is there.
        ...(interval === null ? {} : { [watchdogVariable]: String(interval) }),
        ...(size === null ? {} : { [storeSizeVariable]: String(size) }),
      };
      return service;
    } catch (error) {
      warn(error as Error);
      return null;
    }
  }

  /** Whether the process with that id is one of this service's. */
  includes(pid: number): boolean {
    return controlGroupOf(pid) === this.controlGroup;
  }

  /** Whether the manager itself has started this process, as far as that can be known. */
  get wasStartedByManager(): boolean {
    return process.env[startedVariable] === String(process.pid);
  }

  get isMain(): boolean {
    return this.#role.is === 'main';
  }

  /** The manager has started this process, or it had its PID before an exec. */
  starting(limit: number): void {
    this.#role = { is: 'main', does: 'start' };
    // A watchdog that ran before an exec runs on.
    this.#watchdog?.ping();
    this.#socket.send({ STATUS: 'Starting', ...moreTime });
    this.#extension.start(limit);
  }

  /** This process, the main one, serves. Also the end of a reload. */
  serving(status: string): void {
    if (this.#role.is === 'main') this.#serve({ READY: 1, STATUS: status });
  }

  /**
   * This process is the service from now on, and says so: at its first start, or when the predecessor has made it the
   * main process, or is gone.
   *
   * @param first what is to be done before that, as the main process
   */
  async succeed(status: string, first: () => void): Promise<void> {
    const wasBeside = this.#role.is === 'beside';
    if (wasBeside) this.#role = { is: 'main', does: 'start' };
    first();
    if (!wasBeside) return this.serving(status);
    // What the predecessor has sent before COMMITTED is read when this is: its MAINPID, without which READY=1 is ignored.
    await this.#barrier();
    // It may be told to stop, or hand over itself, in the meantime.
    if (this.#role.is !== 'main' || this.#role.does !== 'start') return;
    // The number once more, for a manager that lets others speak than the main process, where the predecessor died.
    this.#serve({ MAINPID: process.pid, READY: 1, STATUS: status });
  }

  /** A replacement begins. The time is what `Type=notify-reload` knows its own request by. systemd.service(5). */
  reloading(status: string): void {
    if (this.#role.is !== 'main') return;
    if (this.#role.does === 'reload') {
      this.status(status);
      return;
    }
    this.#role = { is: 'main', does: 'reload' };
    // process.hrtime is CLOCK_MONOTONIC on Linux (libuv's uv_hrtime), the clock that the manager compares with.
    const now = process.hrtime.bigint() / 1_000n;
    this.#socket.send({ RELOADING: 1, MONOTONIC_USEC: now, STATUS: status, ...moreTime });
    this.#extension.start();
  }

  /** A replacement has ended, and this process is still the main one; does nothing where none was told of. */
  reloaded(status: string): void {
    if (this.#role.is === 'main' && this.#role.does === 'reload') this.serving(status);
  }

  /** The service will end, and serves a while longer: that is no stop yet, and a manager that asked for one has to wait. */
  lingering(status: string): void {
    if (this.#role.is !== 'main') return;
    this.#socket.send({ STATUS: status, ...moreTime });
    this.#extension.start();
  }

  status(status: string): void {
    if (this.#role.is === 'main') this.#socket.send({ STATUS: status });
  }

  /**
   * Another process of this service is the main one from now on.
   *
   * @param speaks whether it will say READY=1 itself; where it cannot be known, this process says so for it
   */
  handOver(pid: number, speaks: boolean): void {
    if (this.#role.is !== 'main') return;
    this.#quieten();
    this.#watchdog?.ping();
    this.#socket.send({ MAINPID: pid, ...(speaks ? {} : { READY: 1 }), STATUS: `Handed over to process ${pid}` });
    // The manager has to read it while this process lives: it looks up the sender.
    this.#role = { is: 'former', told: this.#barrier() };
  }

  /** The process that this one has handed over to is gone, and this one serves again. */
  takeBack(status: string): void {
    if (this.#role.is === 'former') this.#serve({ MAINPID: process.pid, READY: 1, STATUS: status });
  }

  /** The service ends. Final for systemd since 259: a handoff must never say so. */
  stopping(status: string): void {
    if (this.#role.is !== 'main') return;
    this.#role = { is: 'main', does: 'stop' };
    this.#socket.send({ STOPPING: 1, STATUS: status, ...moreTime });
    this.#extension.start();
  }

  /** Resolves when the manager knows what it has to before this process is gone. */
  async leave(): Promise<void> {
    if (this.#role.is === 'former') await this.#role.told;
    this.#quieten();
  }

  /**
   * Puts into the store what nobody keeps yet, and lets go of what this process had and has no more. Returns who keeps what
   * from now on, by name.
   *
   * @param descriptors all that this process has
   * @param keeperOf who keeps a descriptor already
   * @param wants whether one is to be kept that nobody keeps
   */
  keep(
    descriptors: readonly NamedDescriptor[],
    keeperOf: (name: string) => Keeper | null,
    wants: (descriptor: NamedDescriptor) => boolean = () => true,
  ): Map<string, Keeper> {
    const added = new Map<string, Keeper>();
    if (this.#role.is !== 'main') return added;
    const present = new Map<string, Keeper>();
    for (const { name } of descriptors) {
      const keeper = keeperOf(name);
      if (keeper?.service === this.controlGroup) present.set(name, keeper);
    }
    for (const [name, keeper] of this.#kept) if (!present.has(name)) this.release(keeper);
    // Told of first of all, so that a new name is none of these.
    for (const { name } of present.values()) this.#store?.has(name);
    for (const descriptor of descriptors) {
      const { name, fd } = descriptor;
      if (this.#store === null || present.has(name) || !wants(descriptor)) continue;
      try {
        added.set(name, { service: this.controlGroup, name: this.#store.put(name, fd) });
      } catch (error) {
        this.onFailure(error as Error);
      }
    }
    this.#kept = new Map([...present, ...added]);
    return added;
  }

  /** Lets go of what was kept and is of no use any more. That a socket unit holds stays with it. */
  release(keeper: Keeper): void {
    if (this.#role.is !== 'main' || keeper.service !== this.controlGroup) return;
    if (this.#store !== null) this.#store.remove(keeper.name);
    else this.#socket.send({ FDSTOREREMOVE: 1, FDNAME: keeper.name });
  }

  [Symbol.dispose](): void {
    this.#quieten();
  }

  #serve(said: Assignments): void {
    this.#role = { is: 'main', does: 'serve' };
    this.#extension.stop();
    this.#socket.send(said);
    this.#watchdog?.start();
  }

  #quieten(): void {
    this.#extension.stop();
    this.#watchdog?.[Symbol.dispose]();
  }

  async #barrier(): Promise<void> {
    await this.#socket.barrier().catch((error) => this.onFailure(error));
  }
}

function warn(error: Error): void {
  const { code = 'FD_HANDOFF_SYSTEMD' } = error as NodeJS.ErrnoException;
  process.emitWarning(error.message, { type: 'HandoffWarning', code });
}
