import { Deadline, untilAborted } from '../../channel/deadline.ts';
import { HandoffError } from '../../fd/handoff-error.ts';
import { checkLaunch, type Launch, type LaunchOptions, withChanges } from '../../process/start/launch.ts';
import type { BindHooks, BoundListener, WantedListener } from '../../servers/index.ts';
import type { Mode } from '../../transaction/predecessor.ts';

/** Who has come to succeed this process, or to serve beside it. */
export interface Commit {
  readonly pid: number;
  readonly mode: Mode;
}

/**
 * Functions of the application at the turning points of a process's life. All are awaited, each as long as the handoff
 * itself may take. One that fails, or takes too long, fails what it stands before, and never the service that runs.
 */
export interface LifecycleHooks {
  /** Before a listener is bound or inherited. Throwing makes `listen()` reject: this start fails, the predecessor stays. */
  readonly beforeBind?: (wanted: WantedListener & { readonly rehearsal: boolean }) => void | Promise<void>;
  /** When it is; nothing is accepted before `ready()`. Throwing lets go of it again, and makes `listen()` reject. */
  readonly afterBind?: (bound: BoundListener & { readonly rehearsal: boolean }) => void | Promise<void>;
  /**
   * Before the next version is started, by a call or by a signal, as a process or in place of this one, and before its
   * preflight. What it returns takes the place of what it was given: an environment that was read from the disk, say.
   * Throwing is a veto: the handoff is off.
   */
  readonly beforeSpawn?: (launch: Launch) => LaunchOptions | void | Promise<LaunchOptions | undefined> | Promise<void>;
  /**
   * When a successor has taken over (`replace`), or serves beside this process (`keep`, `share`). This process does not
   * leave before it is done, `drainTimeout` at most. Throwing is reported as `'error'`, and changes nothing.
   */
  readonly afterCommit?: (commit: Commit) => void | Promise<void>;
}

const names = ['beforeBind', 'afterBind', 'beforeSpawn', 'afterCommit'] satisfies (keyof LifecycleHooks)[];

/** Throws a TypeError for what are no hooks: a misspelt one would never be called. */
export function checkHooks(hooks: LifecycleHooks): LifecycleHooks {
  if (typeof hooks !== 'object' || hooks === null) {
    throw invalidType(`The "hooks" option must be an object of functions. Received ${typeof hooks}`);
  }
  for (const [name, hook] of Object.entries(hooks)) {
    if (!(names as readonly string[]).includes(name)) {
      throw invalidType(`The "hooks" option has no "${name}": there is ${names.join(', ')}.`);
    }
    if (hook !== undefined && typeof hook !== 'function') {
      throw invalidType(`The hook "${name}" must be a function. Received ${typeof hook}`);
    }
  }
  return hooks;
}

export interface HookTimes {
  /** How long a hook of a start, or before a handoff, may take, in milliseconds. */
  readonly readyTimeout: number;
  /** How long one after a handoff may. */
  readonly drainTimeout: number;
}

/** Calls the application's hooks, each with its deadline, and says which of them it was that failed. */
export class Hooks implements BindHooks {
  readonly #hooks: LifecycleHooks;
  readonly #times: HookTimes;
  readonly #rehearsal: boolean;

  /** @param rehearsal whether this process only shows that its version starts: nothing is bound in truth */
  constructor(hooks: LifecycleHooks, times: HookTimes, rehearsal: boolean) {
    this.#hooks = hooks;
    this.#times = times;
    this.#rehearsal = rehearsal;
  }

  async beforeBind(wanted: WantedListener): Promise<void> {
    const told = { ...wanted, rehearsal: this.#rehearsal };
    await this.#run('beforeBind', () => this.#hooks.beforeBind?.(told), this.#times.readyTimeout);
  }

  async afterBind(bound: BoundListener): Promise<void> {
    const told = { ...bound, rehearsal: this.#rehearsal };
    await this.#run('afterBind', () => this.#hooks.afterBind?.(told), this.#times.readyTimeout);
  }

  /**
   * Resolves with how the next version is to be started.
   *
   * @param signal calls it off
   */
  async beforeSpawn(launch: Launch, signal: AbortSignal): Promise<Launch> {
    const prepare = async () => {
      const changes = (await this.#hooks.beforeSpawn?.({ ...launch, env: { ...launch.env } })) ?? {};
      checkLaunch(changes);
      return withChanges(launch, changes);
    };
    return this.#run('beforeSpawn', prepare, this.#times.readyTimeout, signal);
  }

  async afterCommit(commit: Commit): Promise<void> {
    await this.#run('afterCommit', () => this.#hooks.afterCommit?.(commit), this.#times.drainTimeout);
  }

  async #run<Value>(
    name: (typeof names)[number],
    call: () => Value | Promise<Value>,
    timeout: number,
    signal?: AbortSignal,
  ): Promise<Value> {
    using deadline = Deadline.after(timeout, `The hook ${name} was not done`, signal);
    const called = Promise.resolve()
      .then(call)
      .catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        throw new HandoffError('ERR_HANDOFF_ABORTED', `The hook ${name} has failed: ${why}`, { cause: error });
      });
    // Awaited here: at the end of this function the deadline is gone.
    return await untilAborted(called, deadline.signal);
  }
}

function invalidType(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}
