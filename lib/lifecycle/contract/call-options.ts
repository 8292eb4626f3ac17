import type { Json } from '../../channel/frame.ts';
import { checkOptionNames } from '../../fd/option-names.ts';
import { checkLaunch } from '../../process/start/launch.ts';
import type { Preflight } from '../../rehearsal/preflight.ts';

/** How to start a successor; everything defaults to the way in which this process was started. */
export interface UpgradeOptions {
  /** The program; by default this one's Node, with its options and script. */
  readonly command?: string;
  /** Its arguments; by default this process's own, or none with another `command`. */
  readonly args?: readonly string[];
  /** Its environment; by default this process's as it is now. */
  readonly env?: NodeJS.ProcessEnv;
  /** Its working directory; by default the one that this process was started in. */
  readonly cwd?: string;
  /**
   * What has to go well before the successor is started. `true`: the same command line, run as a rehearsal up to its
   * `ready()`, without a listener. A function that throws, or a command that exits with another code than 0, calls the
   * handoff off. Each has `readyTimeout`. False by default: a successor that fails is no harm.
   */
  readonly preflight?: Preflight;
  /** Both go on serving: the successor beside this process, until this one leaves. */
  readonly keep?: boolean;
  /**
   * `'capture'` keeps the end of the successor's standard error for the error message, until it is ready; `'inherit'`
   * is for programs that do not use this library, and is the default with another `command`.
   */
  readonly stderr?: 'capture' | 'inherit';
  /** Calls the attempt off: the successor is ended, and this process serves on. */
  readonly signal?: AbortSignal;
}

/** What `reexec()` puts in this process's place; everything defaults to the way in which this process was started. */
export interface ReexecOptions {
  /** The path of the program; by default this one's Node, with its options and script. */
  readonly command?: string;
  /** Its arguments; by default this process's own, or none with another `command`. */
  readonly args?: readonly string[];
  /** Its environment; by default this process's as it is now. */
  readonly env?: NodeJS.ProcessEnv;
  /**
   * What has to go well before anything is stopped for the next image; see `UpgradeOptions`. True by default: there is no
   * old process to serve on when the new image fails. Another program than this one's might not know that it is rehearsed
   * and serve for real: with another `command` the default is that it exists and can be executed.
   */
  readonly preflight?: Preflight;
  /** Calls the attempt off, as long as the preflight runs. */
  readonly signal?: AbortSignal;
}

/** What goes along with a connection. */
export interface MoveOptions {
  /** What the successor's application should know of it. */
  readonly data?: Json;
  /** Bytes that were read from the socket and not used. */
  readonly head?: Buffer;
  /** How long what was written may take to leave this process, in milliseconds; 5 000 by default. */
  readonly timeout?: number;
}

/** How a process is to leave. */
export interface ShutdownOptions {
  /**
   * How long finishing may take before what is left is cut off, in milliseconds; `shutdownTimeout` by default, or
   * `drainTimeout` where another process serves beside this one.
   */
  readonly timeout?: number;
  /**
   * How long this process still serves before that, while `health()` says 503, in milliseconds; `shutdownDelay` by
   * default.
   */
  readonly delay?: number;
}

const reexecNames: Readonly<Record<keyof ReexecOptions, true>> = {
  command: true,
  args: true,
  env: true,
  preflight: true,
  signal: true,
};

const upgradeNames: Readonly<Record<keyof UpgradeOptions, true>> = {
  ...reexecNames,
  cwd: true,
  keep: true,
  stderr: true,
};

const moveNames: Readonly<Record<keyof MoveOptions, true>> = { data: true, head: true, timeout: true };

const shutdownNames: Readonly<Record<keyof ShutdownOptions, true>> = { timeout: true, delay: true };

/** Which options each call has. One that has another is refused: a slip would silently change nothing. */
const optionNames = {
  'upgrade()': upgradeNames,
  'reexec()': reexecNames,
  'move()': moveNames,
  'shutdown()': shutdownNames,
} as const;

/** Throws a TypeError for an option that the call does not have, with the one that is meant. */
export function checkOptions(call: keyof typeof optionNames, options: object): void {
  checkOptionNames(call, options, optionNames[call], {});
}

/**
 * How long an upgrade without a preflight may take, in milliseconds: the hook before the spawn and the successor's start
 * have `readyTimeout` each, and one that fails is gone two seconds later.
 */
export function upgradeLimit({ readyTimeout }: { readonly readyTimeout: number }): number {
  return 2 * readyTimeout + 2_000;
}

/** How the next version is to be started, checked: what is wrong is told before anything is stopped for it. */
export function checkCommand({ command, args, env, preflight, ...rest }: UpgradeOptions | ReexecOptions): void {
  const cwd = 'cwd' in rest ? rest.cwd : undefined;
  checkLaunch({ command, args, env, cwd });
  if (preflight === undefined || isPreflight(preflight)) return;
  throw invalid(
    TypeError,
    'ERR_INVALID_ARG_TYPE',
    `"preflight" must be a boolean, a function, or an array of a program and its arguments. Received ${typeof preflight}`,
  );
}

function isPreflight(value: unknown): value is Preflight {
  if (typeof value === 'boolean' || typeof value === 'function') return true;
  return Array.isArray(value) && value.length > 0 && value.every((part) => typeof part === 'string') && value[0] !== '';
}

function invalid(type: ErrorConstructor, code: string, message: string): Error {
  return Object.assign(new type(message), { code });
}
