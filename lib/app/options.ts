import { resolve } from 'node:path';
import type { Json } from '../channel/frame.ts';
import { checkOptionNames } from '../fd/option-names.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import type { PeerCredentials } from '../fd/peer-credentials.ts';
import type { Handoff } from '../index.ts';
import { checkHooks, type LifecycleHooks } from '../lifecycle/hooks.ts';
import type { UnclaimedChoice } from '../lifecycle/offered-listeners.ts';
import { PidFile } from '../process/pid-file.ts';
import { checkLaunch } from '../process/start/launch.ts';
import type { Preflight } from '../rehearsal/preflight.ts';
import { defaultRepeatWithin } from '../signals/given-orders.ts';
import type { SignalMap } from '../signals/signal-map.ts';
import { presetLimit, type SignalPreset, signalMap } from '../signals/signal-presets.ts';
import type { PassedDescriptor } from '../systemd/listen-fds.ts';
import type { StoreChoice } from '../systemd/service.ts';
import { authorizeSameUser } from '../transaction/reception.ts';

/** What `handoff()` can be told. Everything has a default. */
export interface HandoffOptions {
  /**
   * Path of the control socket, by which any process of the same user can take over (`@name`: Linux abstract). Without
   * it only `upgrade()` replaces the process.
   */
  readonly control?: string;
  /** A preset (`'default'`, `'endless'`, `'grace'`, `'teleport'`, `'nginx'`), `false` for none, or a map of your own. */
  readonly signals?: SignalPreset | false | SignalMap<Handoff>;
  /**
   * For how long after a signal others that order the same are the same order, in milliseconds; 1 000 by default, 0 for
   * none. Later a second stop cuts off what is left.
   */
  readonly repeatWithin?: number;
  /** How long a successor may take from its start to ready, in milliseconds; 60 000 by default. */
  readonly readyTimeout?: number;
  /**
   * How long this process may go on with what it has begun once another one serves, before what is left is cut off, in
   * milliseconds; 3 600 000 (an hour) by default, 60 000 with the presets `'endless'` and `'grace'`.
   */
  readonly drainTimeout?: number;
  /**
   * The same where nobody serves any more, and somebody waits for the end: at a shutdown, a supervisor's stop, a re-exec.
   * In milliseconds; 30 000 by default, 60 000 with the presets `'endless'` and `'grace'`.
   */
  readonly shutdownTimeout?: number;
  /**
   * How long a process that is told to stop still serves while its `health()` says 503, in milliseconds; 0 by default.
   * For load balancers, which go on sending requests until they have asked again. Not where another process serves on.
   */
  readonly shutdownDelay?: number;
  /**
   * A file that names the process that owns the service: written when `ready()` is done, by the new owner; its folder must
   * exist and be writable. Without it there is none.
   */
  readonly pidFile?: string;
  /** Who may talk on the control socket; by default the same user and root. */
  readonly authorize?: (peer: PeerCredentials) => boolean | Promise<boolean>;
  /** Takes copies of the listeners beside the present owner, instead of replacing it; false by default. */
  readonly share?: boolean;
  /**
   * What becomes of a handoff whose successor registers less than it is offered. `'close'`, the default: the rest is closed,
   * with a warning; but a successor that takes no listener and no datagram socket of an offer that has some is none
   * (ERR_HANDOFF_UNCLAIMED). `'refuse'`: one that leaves anything is none.
   */
  readonly unclaimed?: UnclaimedChoice;
  /** Functions of the application at the turning points: before and after a listener is bound, a successor is started. */
  readonly hooks?: LifecycleHooks;
  /** How long the `onClose` hooks may take together before the process leaves, in milliseconds; 10 000 by default. */
  readonly closeTimeout?: number;
  /** Leaves the process when it is drained; true by default. `false` only settles `closed`. */
  readonly exit?: boolean;
  /**
   * `false` leaves the variables of a service manager (`LISTEN_FDS`, `NOTIFY_SOCKET` …) alone. By default they are used
   * where they are there, and removed.
   */
  readonly systemd?: false | SystemdOptions;
  /**
   * Sockets that this process has from elsewhere (`fd-handoff/haproxy`, say), found by name or address as those of a
   * predecessor are. They are this call's from then on, whatever becomes of it: what nobody uses is closed at `ready()`.
   */
  readonly inherit?: readonly PassedDescriptor[];
}

/** What of this process the service manager keeps (`FileDescriptorStoreMax=`). */
export interface SystemdOptions {
  /**
   * `true`: listeners and datagram sockets, which so outlive a crash; `'all'`: what `descriptor()` names as well;
   * `false`: nothing. By default `true` where the manager says that it has a store, as systemd does since 254.
   */
  readonly store?: boolean | 'all';
}

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

const handoffNames: Readonly<Record<keyof HandoffOptions, true>> = {
  control: true,
  signals: true,
  repeatWithin: true,
  readyTimeout: true,
  drainTimeout: true,
  shutdownTimeout: true,
  shutdownDelay: true,
  pidFile: true,
  authorize: true,
  share: true,
  unclaimed: true,
  hooks: true,
  closeTimeout: true,
  exit: true,
  systemd: true,
  inherit: true,
};

/** What else they are called. */
const otherHandoffNames: Readonly<Record<string, string>> = {
  path: 'control',
  socket: 'control',
  controlPath: 'control',
  controlSocket: 'control',
  pid: 'pidFile',
  pidPath: 'pidFile',
  onSignal: 'signals',
  timeout: 'There are "readyTimeout" for a successor, "drainTimeout" for what goes on, and "closeTimeout" for hooks.',
  port: 'It belongs to listen(): await app.listen(server, { port }).',
  host: 'It belongs to listen(): await app.listen(server, { host }).',
};

const systemdNames: Readonly<Record<keyof SystemdOptions, true>> = { store: true };

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
  'handoff()': handoffNames,
  'upgrade()': upgradeNames,
  'reexec()': reexecNames,
  'move()': moveNames,
  'shutdown()': shutdownNames,
} as const;

/** Throws a TypeError for an option that the call does not have, with the one that is meant. */
export function checkOptions(call: keyof typeof optionNames, options: object): void {
  checkOptionNames(call, options, optionNames[call], call === 'handoff()' ? otherHandoffNames : {});
}

/** The options with their defaults, checked. */
export interface Settings {
  readonly control: string | null;
  readonly signals: SignalMap<Handoff> | null;
  readonly repeatWithin: number;
  readonly readyTimeout: number;
  readonly drainTimeout: number;
  readonly shutdownTimeout: number;
  readonly shutdownDelay: number;
  readonly pidFile: PidFile | null;
  readonly authorize: (peer: PeerCredentials) => boolean | Promise<boolean>;
  readonly share: boolean;
  readonly unclaimed: UnclaimedChoice;
  readonly hooks: LifecycleHooks;
  readonly closeTimeout: number;
  readonly exit: boolean;
  /** Null where there is to be no service manager. */
  readonly systemd: { readonly store: StoreChoice; readonly keepsAll: boolean } | null;
  /** Taken over. */
  readonly inherit: readonly PassedDescriptor[];
}

/**
 * A minute: as long as the slowest start that is still a start (a cold cache, a large module graph), and short enough
 * that a deploy whose new version hangs is reported while somebody watches.
 */
const defaultReadyTimeout = 60_000;

/**
 * An hour, where another process serves: nobody waits for this one, so the limit is there for what would never end. An
 * event stream, a language model's answer or a large download on a slow line takes minutes; nginx and HAProxy have no
 * limit at all, and with a deploy an hour no more than two generations stand beside each other.
 */
const defaultDrainTimeout = 3_600_000;

/**
 * Half a minute, where nobody serves: as long as most proxies wait for an answer; also Kubernetes' default grace, and
 * systemd's third.
 */
const defaultShutdownTimeout = 30_000;

/** How long the `onClose` hooks may take together: flushing a log or closing a pool, not another drain. */
const defaultCloseTimeout = 10_000;

/** setTimeout() takes 32 bits; more would fire at once. */
const longestTimeout = 2 ** 31 - 1;

/** Reads the options; throws a TypeError or RangeError for what cannot be. */
export function readOptions(options: HandoffOptions): Settings {
  if (typeof options !== 'object' || options === null) {
    throw invalid(
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      `handoff() takes an object of options. Received ${String(options)}`,
    );
  }
  checkOptions('handoff()', options);
  const { control, pidFile, authorize = authorizeSameUser, share = false, exit = true } = options;
  if (control !== undefined && (typeof control !== 'string' || control === '')) {
    throw invalid(
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      `The "control" option must be a non-empty string. Received ${String(control)}`,
    );
  }
  if (pidFile !== undefined && (typeof pidFile !== 'string' || pidFile === '')) {
    throw invalid(
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      `The "pidFile" option must be a non-empty string. Received ${String(pidFile)}`,
    );
  }
  if (typeof authorize !== 'function') {
    throw invalid(
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      `The "authorize" option must be a function. Received ${typeof authorize}`,
    );
  }
  if (share && control === undefined) {
    throw invalid(
      TypeError,
      'ERR_INVALID_ARG_VALUE',
      'The "share" option needs "control": the path of the owner to share with.',
    );
  }
  const signals = options.signals ?? 'default';
  return {
    // Absolute at once: the application may change its working directory before the path is used again.
    control: control === undefined || control.startsWith('@') ? (control ?? null) : resolve(control),
    signals: signalMap(signals),
    repeatWithin: readTimeout('repeatWithin', options.repeatWithin ?? defaultRepeatWithin),
    readyTimeout: readTimeout('readyTimeout', options.readyTimeout ?? defaultReadyTimeout),
    drainTimeout: readTimeout('drainTimeout', options.drainTimeout ?? presetLimit(signals) ?? defaultDrainTimeout),
    shutdownTimeout: readTimeout(
      'shutdownTimeout',
      options.shutdownTimeout ?? presetLimit(signals) ?? defaultShutdownTimeout,
    ),
    shutdownDelay: readTimeout('shutdownDelay', options.shutdownDelay ?? 0),
    pidFile: pidFile === undefined ? null : new PidFile(resolve(pidFile)),
    authorize,
    share,
    unclaimed: readUnclaimed(options.unclaimed ?? 'close'),
    hooks: checkHooks(options.hooks ?? {}),
    closeTimeout: readTimeout('closeTimeout', options.closeTimeout ?? defaultCloseTimeout),
    exit,
    systemd: readSystemd(options.systemd ?? {}),
    inherit: readInherit(options.inherit ?? []),
  };
}

function readInherit(given: unknown): readonly PassedDescriptor[] {
  const fits = (one: Partial<PassedDescriptor> | null) =>
    typeof one?.name === 'string' && one.descriptor instanceof OwnedFd;
  if (Array.isArray(given) && given.every(fits)) return given;
  throw invalid(
    TypeError,
    'ERR_INVALID_ARG_TYPE',
    'The "inherit" option must be an array of { name, descriptor }, each with an OwnedFd as its descriptor.',
  );
}

function readUnclaimed(choice: unknown): UnclaimedChoice {
  if (choice === 'close' || choice === 'refuse') return choice;
  throw invalid(
    TypeError,
    'ERR_INVALID_ARG_VALUE',
    `The "unclaimed" option must be 'close' or 'refuse'. Received ${String(choice)}`,
  );
}

function readSystemd(options: unknown): Settings['systemd'] {
  if (options === false) return null;
  if (typeof options !== 'object' || options === null) {
    throw invalid(
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      `The "systemd" option must be false or an object. Received ${String(options)}`,
    );
  }
  checkOptionNames('The systemd option of handoff()', options, systemdNames);
  const { store } = options as SystemdOptions;
  if (store !== undefined && typeof store !== 'boolean' && store !== 'all') {
    throw invalid(
      TypeError,
      'ERR_INVALID_ARG_VALUE',
      `The "systemd.store" option must be a boolean or "all". Received ${String(store)}`,
    );
  }
  const choice = store === undefined ? 'where-offered' : store === false ? 'never' : 'always';
  return { store: choice, keepsAll: store === 'all' };
}

/**
 * How long an upgrade without a preflight may take, in milliseconds: the hook before the spawn and the successor's start
 * have `readyTimeout` each, and one that fails is gone two seconds later.
 */
export function upgradeLimit({ readyTimeout }: Settings): number {
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

/** A timeout in milliseconds: 0 to about 24.8 days. */
export function readTimeout(name: string, value: number): number {
  if (typeof value !== 'number') {
    throw invalid(TypeError, 'ERR_INVALID_ARG_TYPE', `The "${name}" option must be a number. Received ${typeof value}`);
  }
  if (value >= 0 && value <= longestTimeout) return value;
  throw invalid(
    RangeError,
    'ERR_OUT_OF_RANGE',
    `The value of "${name}" is out of range. It must be >= 0 and <= ${longestTimeout} milliseconds. Received ${value}`,
  );
}

function invalid(type: ErrorConstructor, code: string, message: string): Error {
  return Object.assign(new type(message), { code });
}
