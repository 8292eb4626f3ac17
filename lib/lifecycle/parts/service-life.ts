import type { Meeting } from '../../meeting/meeting.ts';
import type { Found } from '../../meeting/predecessor-search.ts';
import { type Estate, receives } from '../../servers/index.ts';
import { type Service, withServiceVariables } from '../../systemd/service.ts';
import { keeperOf } from '../../transaction/keeper.ts';
import type { ManifestEntry } from '../../transaction/manifest.ts';
import type { Mode } from '../../transaction/predecessor.ts';
import type { PhaseName } from '../decision/state.ts';

export interface ServiceLifeOptions {
  /** Null where no service manager is to be told anything. */
  readonly service: Service | null;
  readonly estate: Estate;
  readonly generation: number;
  /** Whether other descriptors than listeners and datagram sockets are kept across a crash as well. */
  readonly keepsAll: boolean;
  /** Hears of what the manager could not be told; the process goes on. */
  readonly report: (error: Error) => void;
}

/** What each step of a process's life means for the service that it is a part of. */
export class ServiceLife {
  readonly #service: Service | null;
  readonly #estate: Estate;
  readonly #generation: number;
  readonly #keepsAll: boolean;
  #failure: string | null = null;
  /** What the manager knows of already. */
  #told: Error | null = null;
  #heir: number | null = null;
  #phase: PhaseName = 'starting';

  constructor({ service, estate, generation, keepsAll, report }: ServiceLifeOptions) {
    if (service !== null) service.onFailure = report;
    this.#service = service;
    this.#estate = estate;
    this.#generation = generation;
    this.#keepsAll = keepsAll;
  }

  /**
   * A successor says nothing before it is the main process; everybody else is that from the start.
   *
   * @param limit how long a start may take, in milliseconds
   */
  begin(found: Found, limit: number): void {
    const service = this.#service;
    if (service === null || (found.is === 'takeover' && this.#hasMainBeside(service, found))) return;
    service.starting(limit);
  }

  #hasMainBeside(service: Service, { spawned, takeover }: Found & { is: 'takeover' }): boolean {
    if (spawned) return true;
    return !service.wasStartedByManager && service.includes(takeover.predecessor.pid);
  }

  /** After an exec a process cannot know any more that it was not the main one: then it gets nothing to say so by. */
  environmentAfterExec(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    return this.#service?.isMain === true ? withServiceVariables(environment) : environment;
  }

  /** Every change of phase, after it. What needs more to be told has a method of its own. */
  entered(from: PhaseName, to: PhaseName): void {
    this.#phase = to;
    const service = this.#service;
    if (service === null) return;
    switch (to) {
      case 'serving':
        if (from === 'draining') service.takeBack(this.#status());
        else if (from === 'paused') this.#tellReload(service);
        // The first time is told by `ready()`.
        else if (from !== 'taking-over') service.reloaded(this.#status());
        break;
      case 'paused':
        service.reloaded(this.#status());
        service.status(this.#status());
        break;
      case 'announcing':
        service.reloaded(this.#status());
        service.lingering(this.#status());
        break;
      case 'rehearsing':
        service.reloading('Trying the next version');
        break;
      case 'draining-in-place':
        service.reloading('Replacing this process in place');
        break;
      case 'shutting-down':
        // The service goes on in the one that serves beside this process.
        if (this.#heir === null) service.stopping('Finishing what is in flight');
    }
  }

  /** A signal has asked for a replacement, and that failed, perhaps before it was begun. A manager that sent it waits for RELOADING=1. */
  declined(error: unknown): void {
    if (error === this.#told) return;
    this.#failure = error instanceof Error ? error.message : String(error);
    if (this.#service !== null && this.#phase === 'serving') this.#tellReload(this.#service);
  }

  #tellReload(service: Service): void {
    service.reloading('Reloading');
    service.reloaded(this.#status());
  }

  /**
   * `ready()` is done.
   *
   * @param owns whether the service is this process's now; beside an owner only one that is the main process of another
   *   service says anything
   * @param unclaimed what was inherited and nobody took
   */
  ready(owns: boolean, unclaimed: readonly ManifestEntry[]): void {
    const service = this.#service;
    if (service === null) return;
    if (!owns) {
      service.serving(this.#status());
      return;
    }
    // Kept before it is said to be ready: who believes that must not lose a connection to a crash.
    const first = () => {
      for (const entry of unclaimed) {
        const keeper = keeperOf(entry);
        if (keeper !== null) service.release(keeper);
      }
      this.keep();
    };
    void service.succeed(this.#status(), first);
  }

  /** The owner beside this process is gone, and this one is the service. */
  inherit(): void {
    void this.#service?.succeed(this.#status(), () => this.keep());
  }

  /** Has the manager keep what it does not keep yet, and no more what this process has no more. */
  keep(): void {
    // Whoever serves beside this process, or after it, may have use for what this one closes.
    if (this.#heir !== null || !isOwner(this.#phase)) return;
    const added = this.#service?.keep(
      this.#estate.descriptors,
      (name) => this.#estate.keeperOf(name),
      ({ fd }) => this.#keepsAll || receives(fd),
    );
    for (const [name, keeper] of added ?? []) this.#estate.keptBy(name, keeper);
  }

  /** A successor is on its way. Those who only come to share are no reload. */
  offering(mode: Mode): void {
    if (mode !== 'share') this.#service?.reloading('Starting the next version');
  }

  rolledBack(error: Error): void {
    this.#told = error;
    this.#failure = error.message;
    if (isOwner(this.#phase)) this.#service?.status(this.#status());
  }

  /** At commit, before the successor is told: what it says then must find it to be the main process. */
  committed({ pid, spawned, how }: Meeting): void {
    const service = this.#service;
    if (service === null) return;
    if (spawned === null && !service.includes(pid)) {
      // The manager takes no process of another service for the main one of this. So this service ends.
      service.stopping(`Handed over to process ${pid}, which is not of this service`);
    } else {
      service.handOver(pid, how === 'channel' && spawned !== null);
    }
  }

  /** A process serves beside this one, and is the service when this one leaves; null: not any more. */
  besides(heir: number | null): void {
    this.#heir = heir;
    this.keep();
  }

  /** Resolves when the manager knows what it has to before this process is gone. */
  async leave(): Promise<void> {
    if (this.#heir !== null) this.#service?.handOver(this.#heir, true);
    await this.#service?.leave();
  }

  #status(): string {
    const failure = this.#failure;
    this.#failure = null;
    const doing = doings[this.#phase] ?? 'Serving';
    const status = `${doing}, generation ${this.#generation}`;
    return failure === null ? status : `${status}; the last replacement failed: ${failure}`;
  }
}

const doings: { readonly [phase in PhaseName]?: string } = {
  paused: 'Paused, accepting nothing',
  announcing: 'About to stop, still serving',
};

function isOwner(phase: PhaseName): boolean {
  return phase === 'serving' || phase === 'paused' || phase === 'announcing';
}
