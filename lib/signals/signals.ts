import { setImmediate as turn } from 'node:timers/promises';
import { Deadline, untilAborted } from '../channel/deadline.ts';
import { GivenOrders } from './given-orders.ts';
import type { HangUps } from './hang-up.ts';
import { checkSignal, type SignalAction, type SignalFunction, type SignalMap } from './signal-map.ts';
import { hasTerminal } from './terminal.ts';

/**
 * How long a signal's hooks may take, in milliseconds, those before it and those after it alike: enough to write a file or
 * to tell another service, and short enough that a hook that hangs leaves a process that was told to stop some of the
 * thirty seconds that supervisors commonly give it.
 */
const hooksLimit = 10_000;

/** What an application does around a signal. */
export interface SignalHooks {
  /** Awaited before the signal's action. One that throws prevents `upgrade`, `keep` and `reexec`, and nothing else. */
  readonly before?: (signal: NodeJS.Signals) => unknown;
  /** Awaited after the action: when the handoff is committed or has failed, or when the shutdown has begun. */
  readonly after?: (signal: NodeJS.Signals) => unknown;
}

/** What is to be done because a signal has come. */
export interface SignalOrder {
  readonly signal: NodeJS.Signals;
  readonly action: SignalAction;
  /** Whether a hook before it has failed. */
  readonly vetoed: boolean;
}

export interface SignalListenersOptions<App> {
  readonly map: SignalMap<App>;
  /** What the map's functions are called with. */
  readonly app: App;
  /** For how long after an order others like it only repeat it, in milliseconds. */
  readonly repeatWithin: number;
  /** Tells what a hang-up means; null where each is an order. */
  readonly hangUps: () => Meanings | null;
  /**
   * Does what an action says. Rejects with nothing: it reports by itself. What it returns or resolves with is false where
   * the order has come to nothing.
   */
  readonly act: (order: SignalOrder) => boolean | Promise<boolean>;
  readonly report: (error: unknown) => void;
}

type Meanings = Pick<HangUps, 'meaning'> & Disposable;

type Moment = 'before' | 'after';

/** Listens to signals until disposed, and does for each what the map says, between its hooks. */
export class SignalListeners<App> implements Disposable {
  readonly #options: SignalListenersOptions<App>;
  readonly #listeners = new Map<NodeJS.Signals, () => void>();
  readonly #hooks = new Map<NodeJS.Signals, SignalHooks[]>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #orders: GivenOrders;
  readonly #hangUps: Meanings | null;

  constructor(options: SignalListenersOptions<App>) {
    this.#options = options;
    this.#orders = new GivenOrders(options.repeatWithin);
    this.#hangUps = endsOrIgnores(options.map.SIGHUP ?? 'none') ? null : options.hangUps();
    for (const signal of Object.keys(options.map)) this.#listen(signal as NodeJS.Signals);
  }

  /** Adds hooks to `signal`, and listens to it if nothing did: without an action only its hooks run. */
  addHooks(signal: NodeJS.Signals, hooks: SignalHooks): void {
    checkSignal('onSignal', signal);
    for (const moment of ['before', 'after'] as const) {
      const hook: unknown = hooks[moment];
      if (hook === undefined || typeof hook === 'function') continue;
      throw Object.assign(
        new TypeError(`The hook "${moment}" of ${signal} must be a function. Received ${typeof hook}`),
        { code: 'ERR_INVALID_ARG_TYPE' },
      );
    }
    this.#hooks.set(signal, [...(this.#hooks.get(signal) ?? []), hooks]);
    this.#listen(signal);
  }

  /** The process serves again: the next order is the first of its kind. */
  forgetOrders(): void {
    this.#orders.forget();
  }

  /** Resolves when no hook runs; each group of them has its deadline. */
  async hooksDone(): Promise<void> {
    while (this.#running.size > 0) {
      await Promise.all(this.#running);
      // Those after an action begin when those before it are done, and the action with them: a few microtasks later.
      await turn();
    }
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
    this.#listeners.clear();
    this.#hangUps?.[Symbol.dispose]();
  }

  #listen(signal: NodeJS.Signals): void {
    if (this.#listeners.has(signal)) return;
    const listener = () => void this.#receive(signal);
    process.on(signal, listener);
    this.#listeners.set(signal, listener);
  }

  async #receive(signal: NodeJS.Signals): Promise<void> {
    const does = this.#options.map[signal] ?? 'none';
    // Resizing a window is no order to stop serving. nginx, too, ignores it where it runs in a terminal.
    if (signal === 'SIGWINCH' && does === 'pause' && hasTerminal()) return;
    // Nor is a terminal that is closed an order to do anything but to stop: nobody is there any more who could.
    if (signal === 'SIGHUP' && this.#hangUps !== null) {
      const meaning = await this.#hangUps.meaning();
      if (meaning === 'outlived') return;
      if (meaning === 'terminal') return this.#endWithTerminal(signal);
    }
    await (typeof does === 'function' ? this.#call(does, signal) : this.#obey(does, signal));
  }

  async #obey(action: SignalAction, signal: NodeJS.Signals): Promise<void> {
    const hearing = this.#orders.hear(action, signal);
    if (hearing === 'moot') return;
    // Whoever says it again has waited enough, for hooks as well.
    if (hearing === 'insisted') void this.#options.act({ signal, action: 'hammer', vetoed: false });
    // Without hooks not even a microtask later: whoever listens to the same signal after us finds it done.
    const vetoed = this.#has('before', signal) && (await this.#run('before', signal)) > 0;
    if (hearing === 'order') {
      const acting = this.#options.act({ signal, action, vetoed });
      const stands = typeof acting === 'boolean' ? acting : await acting;
      if (!stands) this.#orders.cameToNothing(action);
    }
    if (this.#has('after', signal)) await this.#run('after', signal);
  }

  /** Its hooks are for an order, and this is none. */
  #endWithTerminal(signal: NodeJS.Signals): void {
    // The shell passes on to its jobs what the kernel has told them already.
    if (this.#orders.hear('shutdown', signal) !== 'order') return;
    void this.#options.act({ signal, action: 'shutdown', vetoed: false });
  }

  async #call(act: SignalFunction<App>, signal: NodeJS.Signals): Promise<void> {
    if (this.#has('before', signal)) await this.#run('before', signal);
    try {
      await act(this.#options.app, signal);
    } catch (error) {
      this.#options.report(error);
    }
    if (this.#has('after', signal)) await this.#run('after', signal);
  }

  #has(moment: Moment, signal: NodeJS.Signals): boolean {
    return this.#hooks.get(signal)?.some((hooks) => hooks[moment] !== undefined) ?? false;
  }

  /** Runs the hooks one after the other, every one of them; resolves with how many have failed. */
  #run(moment: Moment, signal: NodeJS.Signals): Promise<number> {
    const running = this.#runAll(moment, signal);
    this.#running.add(running);
    return running.finally(() => this.#running.delete(running));
  }

  async #runAll(moment: Moment, signal: NodeJS.Signals): Promise<number> {
    using deadline = Deadline.after(hooksLimit, `The hooks ${moment} ${signal} were not done`);
    let failed = 0;
    for (const hooks of this.#hooks.get(signal) ?? []) {
      try {
        await untilAborted(
          Promise.resolve(signal).then((name) => hooks[moment]?.(name)),
          deadline.signal,
        );
      } catch (error) {
        failed++;
        this.#options.report(error);
      }
    }
    return failed;
  }
}

/** Whether it is the same for an order and for the end of a terminal. */
function endsOrIgnores(does: SignalAction | SignalFunction<never>): boolean {
  return does === 'shutdown' || does === 'hammer' || does === 'none';
}
