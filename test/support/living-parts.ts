import type { Announcer } from '../../lib/lifecycle/contract/announcer.ts';
import { Hooks } from '../../lib/lifecycle/contract/hooks.ts';
import type { Settings } from '../../lib/lifecycle/contract/settings.ts';
import type { LifeEvent } from '../../lib/lifecycle/decision/event.ts';
import type { Order } from '../../lib/lifecycle/decision/order.ts';
import type { State } from '../../lib/lifecycle/decision/state.ts';
import { ControlPost } from '../../lib/lifecycle/parts/control-post.ts';
import { DrainClock } from '../../lib/lifecycle/parts/drain-clock.ts';
import { DrainHooks } from '../../lib/lifecycle/parts/drain-hooks.ts';
import { DrainingSignal } from '../../lib/lifecycle/parts/draining-signal.ts';
import { Generations } from '../../lib/lifecycle/parts/generations.ts';
import { Life } from '../../lib/lifecycle/parts/life.ts';
import type { Parts } from '../../lib/lifecycle/parts/parts.ts';
import { PidFilePost } from '../../lib/lifecycle/parts/pid-file-post.ts';
import { ServiceLife } from '../../lib/lifecycle/parts/service-life.ts';
import { Roster } from '../../lib/process/roster.ts';
import { descriptorOf, Estate } from '../../lib/servers/index.ts';
import { claimUnixPath } from '../../lib/transaction/path/control-path.ts';
import { Reception, type Visitor } from '../../lib/transaction/reception.ts';
import { Reopenings } from '../../lib/transaction/reopenings.ts';
import { never } from './never.ts';

/** Limits that no test comes near. */
const settings: Settings = {
  control: null,
  readyTimeout: 60_000,
  drainTimeout: 60_000,
  shutdownTimeout: 60_000,
  shutdownDelay: 0,
  pidFile: null,
  authorize: () => true,
  user: null,
  share: false,
  unclaimed: 'close',
  hooks: {},
  closeTimeout: 60_000,
  exit: false,
  systemd: null,
  inherit: [],
};

type Acts = { readonly [order in Order]?: (event: LifeEvent) => void };

export interface LivingOptions {
  readonly settings?: Partial<Settings>;
  /** What follows an order; without it the order is only written down. */
  readonly acts?: Acts;
  /** In place of those that are made here. */
  readonly parts?: Partial<Parts>;
  readonly onVisitor?: (visitor: Visitor) => void;
}

/** The parts of a process's life, real ones, with everything written down that is ordered, told and reported. */
export class LivingParts implements Disposable {
  readonly orders: Order[] = [];
  readonly events: LifeEvent[] = [];
  /** The events that the application was told of, each with what its listeners get. */
  readonly told: unknown[][] = [];
  readonly reported: unknown[] = [];
  readonly parts: Parts;

  constructor(state: State, options: LivingOptions = {}) {
    const whole: Settings = { ...settings, ...options.settings };
    const report = (error: unknown) => void this.reported.push(error);
    const announcer: Announcer = {
      publish: () => {},
      tell: (name, ...payload) => void this.told.push([name, ...payload]),
      report,
      inBackground: (work) => void work.catch(report),
    };
    const life = new Life(state, {
      onPhase: () => {},
      carryOut: (order, event) => {
        this.orders.push(order);
        options.acts?.[order]?.(event);
      },
    });
    const estate = new Estate(null, { report });
    const reception = new Reception({
      descriptorOf,
      authorize: () => true,
      onVisitor: options.onVisitor ?? (({ control }) => control.destroy()),
      onRefusal: () => {},
    });
    const generations = new Generations();
    this.parts = {
      settings: whole,
      generation: 3,
      life: this.#watched(life),
      announcer,
      signals: null,
      membership: new Roster().join({ listens: false, exits: whole.exit, owns: () => true, control: null }),
      estate,
      hooks: new Hooks(whole.hooks, whole, false),
      drainHooks: new DrainHooks(report),
      closeHooks: [],
      control: new ControlPost(null, null, reception),
      pidFile: new PidFilePost(whole.pidFile, report),
      service: new ServiceLife({ service: null, estate, generation: 3, keepsAll: false, report }),
      clock: new DrainClock(),
      draining: new DrainingSignal(),
      generations,
      predecessor: null,
      reopenings: new Reopenings(() => {}),
      peers: { upstream: null, heir: null },
      underway: { attempt: null, pause: null, mover: null },
      takeover: null,
      survival: null,
      rehearsal: null,
      passed: null,
      offered: null,
      stderr: null,
      closed: Promise.resolve(),
      ...options.parts,
    };
  }

  /** One at a control path, with the listener that a fresh start has bound. */
  static async at(path: string, state: State, options: LivingOptions = {}): Promise<LivingParts> {
    const listener = await claimUnixPath(path, { backlog: 8 }, never);
    const reception = new Reception({
      descriptorOf,
      authorize: () => true,
      onVisitor: options.onVisitor ?? (({ control }) => control.destroy()),
      onRefusal: () => {},
    });
    const control = new ControlPost(path, listener, reception);
    return new LivingParts(state, {
      ...options,
      settings: { control: path, ...options.settings },
      parts: { control, ...options.parts },
    });
  }

  get phase(): State['is'] {
    return this.parts.life.state.is;
  }

  /** Resolves when this has been reported. */
  async until(is: LifeEvent['is']): Promise<void> {
    while (!this.events.some((event) => event.is === is)) await this.parts.life.changed();
  }

  #watched(life: Life): Life {
    const report = life.report.bind(life);
    life.report = (event) => {
      this.events.push(event);
      return report(event);
    };
    return life;
  }

  [Symbol.dispose](): void {
    const { estate, control, clock } = this.parts;
    clock.end();
    control.close('remove');
    estate.stopAccepting();
    for (const { connections } of estate.served) connections.destroyAll();
    estate.remove();
  }
}
