import { constants } from 'node:os';

const actions = ['upgrade', 'keep', 'reexec', 'pause', 'shutdown', 'hammer', 'reopen', 'status', 'none'] as const;

/**
 * What a signal can make the process do. `upgrade` brings a paused process back instead; `none` does nothing but its
 * hooks.
 */
export type SignalAction = (typeof actions)[number];

/** A signal's function of the application; what it throws, or rejects with, is reported and changes nothing. */
export type SignalFunction<App> = (app: App, signal: NodeJS.Signals) => unknown;

/** What each signal does: an action by name, or a function of the application. */
export type SignalMap<App> = { readonly [signal in NodeJS.Signals]?: SignalAction | SignalFunction<App> };

/** The kernel does not tell a process of these two. */
const uncatchable: readonly string[] = ['SIGKILL', 'SIGSTOP'];

/**
 * Windows has none of these, and a program that names them still runs there: Node listens in vain. Everywhere else they
 * are known anyway.
 */
const posixOnly: readonly string[] = ['SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGTSTP', 'SIGWINCH'];

/** Throws a RangeError for a signal that there is not, or that no process can catch. */
export function checkSignal(where: string, signal: string): void {
  if (uncatchable.includes(signal)) {
    throw new RangeError(`${where}: ${signal} cannot be caught, so nothing can be done when it comes`);
  }
  if (Object.hasOwn(constants.signals, signal) || posixOnly.includes(signal)) return;
  throw new RangeError(`${where}: there is no signal "${signal}"`);
}

/** Throws for what cannot be: a misspelt action must not become another one when the signal comes. */
export function checkSignalMap<App>(map: SignalMap<App>): SignalMap<App> {
  for (const [signal, action] of Object.entries(map)) {
    checkSignal('signals', signal);
    if (typeof action === 'function' || (actions as readonly unknown[]).includes(action)) continue;
    throw new RangeError(
      `signals: ${signal} cannot do "${String(action)}"; it can do one of ${actions.join(', ')}, or call a function`,
    );
  }
  return map;
}
