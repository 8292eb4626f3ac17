import { checkSignalMap, type SignalMap } from './signal-map.ts';

/** As much of a process as a preset's own function needs. */
interface Drainable {
  readonly draining: AbortSignal;
  hammer(): void;
}

/** What endless does at SIGUSR2: the hammer is for a process that leaves already, and does nothing to one that serves. */
function hammerDrain(app: Drainable): void {
  if (app.draining.aborted) app.hammer();
}

/**
 * Signals as the programs use them that people come from; `docs/signals.md` compares each with its original. Plain maps:
 * `{ ...signalPresets.nginx, SIGWINCH: 'none' }` is one of your own.
 */
export const signalPresets = {
  /**
   * HUP replaces this process, and the three ways to say "stop" stop it. Not USR2: nodemon restarts a program by it, and
   * waits for its end.
   */
  default: {
    SIGHUP: 'upgrade',
    SIGTERM: 'shutdown',
    SIGINT: 'shutdown',
    SIGQUIT: 'shutdown',
  },
  /** fvbock/endless. */
  endless: {
    SIGHUP: 'upgrade',
    SIGUSR1: 'none',
    SIGTSTP: 'none',
    /** Cuts off what is left of a drain. */
    SIGUSR2: hammerDrain,
    SIGINT: 'shutdown',
    SIGTERM: 'shutdown',
  },
  /** facebookgo/grace. */
  grace: { SIGUSR2: 'upgrade', SIGINT: 'shutdown', SIGTERM: 'shutdown' },
  /** gravitational/teleport. */
  teleport: {
    SIGHUP: 'upgrade',
    SIGUSR2: 'keep',
    SIGQUIT: 'shutdown',
    SIGTERM: 'hammer',
    SIGINT: 'hammer',
    SIGUSR1: 'status',
  },
  /** nginx's master process. */
  nginx: {
    SIGHUP: 'upgrade',
    SIGUSR2: 'keep',
    SIGWINCH: 'pause',
    SIGQUIT: 'shutdown',
    SIGTERM: 'hammer',
    SIGINT: 'hammer',
    SIGUSR1: 'reopen',
  },
} as const satisfies { readonly [preset: string]: SignalMap<Drainable> };

/** The names of the presets. */
export type SignalPreset = keyof typeof signalPresets;

/** How long a drain may take where the original has a limit of its own, for a restart and a stop alike, in milliseconds. */
const limits: { readonly [preset in SignalPreset]?: number } = {
  /** `DefaultHammerTime`. */
  endless: 60_000,
  /** `StopTimeout` of facebookgo/httpdown, which does the stopping. */
  grace: 60_000,
};

/** The map that the option `signals` stands for; null where signals are the application's own affair. */
export function signalMap<App extends Drainable>(option: SignalPreset | false | SignalMap<App>): SignalMap<App> | null {
  if (option === false) return null;
  if (typeof option === 'object' && option !== null) return checkSignalMap(option);
  if (isPreset(option)) return signalPresets[option];
  const names = Object.keys(signalPresets).map((name) => `"${name}"`);
  throw new RangeError(`signals: there is no preset "${String(option)}"; there is ${names.join(', ')}`);
}

/** How long a drain may take by the preset's own rule; null where it has none, and for a map. */
export function presetLimit(option: unknown): number | null {
  return isPreset(option) ? (limits[option] ?? null) : null;
}

function isPreset(option: unknown): option is SignalPreset {
  return typeof option === 'string' && Object.hasOwn(signalPresets, option);
}
