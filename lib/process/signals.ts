/** What a signal can make the process do. */
export type SignalAction = 'upgrade' | 'keep' | 'shutdown' | 'hammer';

/** What each signal does: an action by name, or a function of the application. */
export type SignalMap = { readonly [signal in NodeJS.Signals]?: SignalAction | (() => void) };

/** HUP replaces this process, USR2 starts a successor beside it, and the three ways to say "stop" stop it. */
const defaultSignals: SignalMap = {
  SIGHUP: 'upgrade',
  SIGUSR2: 'keep',
  SIGTERM: 'shutdown',
  SIGINT: 'shutdown',
  SIGQUIT: 'shutdown',
};

const presets: ReadonlyMap<string, SignalMap> = new Map([['default', defaultSignals]]);

/** The map that the option `signals` stands for; null where signals are the application's own affair. */
export function signalMap(option: string | false | SignalMap): SignalMap | null {
  if (option === false) return null;
  if (typeof option !== 'string') return option;
  const preset = presets.get(option);
  if (preset !== undefined) return preset;
  throw new RangeError(
    `signals: there is no preset "${option}"; there is ${[...presets.keys()].map((name) => `"${name}"`).join(', ')}`,
  );
}

/** Listens to the signals of `map` until disposed. */
export class SignalListeners implements Disposable {
  readonly #listeners: [NodeJS.Signals, () => void][] = [];

  constructor(map: SignalMap, act: (action: SignalAction, signal: NodeJS.Signals) => void) {
    for (const [name, action] of Object.entries(map)) {
      const signal = name as NodeJS.Signals;
      const listener = typeof action === 'function' ? action : () => act(action, signal);
      process.on(signal, listener);
      this.#listeners.push([signal, listener]);
    }
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
    this.#listeners.length = 0;
  }
}
