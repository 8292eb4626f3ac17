import { resolve } from 'node:path';
import { checkOptionNames } from '../fd/option-names.ts';
import { OwnedFd } from '../fd/owned-fd.ts';
import type { PeerCredentials } from '../fd/peer-credentials.ts';
import { checkHooks, type LifecycleHooks } from '../lifecycle/contract/hooks.ts';
import type { Settings, UnclaimedChoice } from '../lifecycle/contract/settings.ts';
import { readTimeout } from '../lifecycle/contract/timeout.ts';
import { PidFile } from '../process/pid-file.ts';
import { defaultRepeatWithin } from '../signals/given-orders.ts';
import type { SignalMap } from '../signals/signal-map.ts';
import { presetLimit, type SignalPreset, signalMap } from '../signals/signal-presets.ts';
import type { PassedDescriptor } from '../systemd/listen-fds.ts';
import type { ServiceUser } from '../transaction/path/socket-owner.ts';
import { authorizeSameUser } from '../transaction/reception.ts';
import type { Handoff } from './handoff.ts';

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
  /**
   * The user that the service becomes once it has bound as root: `{ uid, gid }`, by number. As root this process gives it the
   * socket files and the PID file, and takes over from a predecessor that is that user already. To become it
   * (`process.setgid()`, `process.setuid()`) is left to the application. Elsewhere it changes nothing.
   */
  readonly user?: ServiceUser;
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
  user: true,
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
  uid: 'user',
  owner: 'user',
  timeout: 'There are "readyTimeout" for a successor, "drainTimeout" for what goes on, and "closeTimeout" for hooks.',
  port: 'It belongs to listen(): await app.listen(server, { port }).',
  host: 'It belongs to listen(): await app.listen(server, { host }).',
};

const userNames: Readonly<Record<keyof ServiceUser, true>> = { uid: true, gid: true };

/** Of a user or a group; the number above stands for none. */
const largestId = 0xfffffffe;

const systemdNames: Readonly<Record<keyof SystemdOptions, true>> = { store: true };

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

/** What `handoff()` was told, with the defaults, checked. */
export interface HandoffSettings extends Settings {
  readonly signals: SignalMap<Handoff> | null;
  readonly repeatWithin: number;
}

/** Reads the options; throws a TypeError or RangeError for what cannot be. */
export function readOptions(options: HandoffOptions): HandoffSettings {
  if (typeof options !== 'object' || options === null) {
    throw invalid(
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      `handoff() takes an object of options. Received ${String(options)}`,
    );
  }
  checkOptionNames('handoff()', options, handoffNames, otherHandoffNames);
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
  const user = options.user === undefined ? null : readUser(options.user);
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
    pidFile: pidFile === undefined ? null : new PidFile(resolve(pidFile), user),
    authorize,
    user,
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

function readUser(given: unknown): ServiceUser {
  if (typeof given !== 'object' || given === null) {
    throw invalid(
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      `The "user" option must be an object, { uid: 33, gid: 33 }. Received ${String(given)}`,
    );
  }
  checkOptionNames('The user option of handoff()', given, userNames);
  const { uid, gid } = given as Partial<ServiceUser>;
  checkId('user.uid', uid);
  if (gid !== undefined) checkId('user.gid', gid);
  return given as ServiceUser;
}

function checkId(name: string, id: unknown): void {
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= largestId) return;
  throw invalid(
    TypeError,
    'ERR_INVALID_ARG_TYPE',
    `The "${name}" option must be a number, which id(1) tells for a name. Received ${String(id)}`,
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

function invalid(type: ErrorConstructor, code: string, message: string): Error {
  return Object.assign(new type(message), { code });
}
