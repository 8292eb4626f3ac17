import { constants } from 'node:os';

const actions = ['upgrade', 'keep', 'shutdown', 'hammer'] as const;

/** What a signal can make the process do. */
export type SignalAction = (typeof actions)[number];

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
  if (typeof option !== 'string') return checked(option);
  const preset = presets.get(option);
  if (preset !== undefined) return preset;
  throw new RangeError(
    `signals: there is no preset "${option}"; there is ${[...presets.keys()].map((name) => `"${name}"`).join(', ')}`,
  );
}

/** Throws for what cannot be: a misspelt action must not become another one when the signal comes. */
function checked(map: SignalMap): SignalMap {
  for (const [signal, action] of Object.entries(map)) {
    if (!(signal in constants.signals)) throw new RangeError(`signals: there is no signal "${signal}"`);
    if (typeof action === 'function' || (actions as readonly unknown[]).includes(action)) continue;
    throw new RangeError(
      `signals: ${signal} cannot do "${action}"; it can do one of ${actions.join(', ')}, or call a function`,
    );
  }
  return map;
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
