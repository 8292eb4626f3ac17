import { constants } from 'node:os';
import { checkOptionNames } from '../fd/option-names.ts';
import type { Settings } from '../lifecycle/contract/settings.ts';
import { readTimeout } from '../lifecycle/contract/timeout.ts';
import { firstInherited } from '../process/start/environment.ts';
import { checkLaunch, launchOf } from '../process/start/launch.ts';
import type { HostPlan } from '../programs/hosted-program.ts';
import { type Convention, conventions } from '../programs/program-variables.ts';
import { parseReadiness, type Readiness } from '../programs/readiness.ts';
import { receives } from '../servers/index.ts';
import type { NamedDescriptor } from '../transaction/manifest.ts';

/** Which program is to serve, and how it is told what it needs. */
export interface ProgramOptions {
  /** A path, or a name that is looked for in `PATH`. */
  readonly command: string;
  readonly args?: readonly string[];
  /** Its environment; by default this process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** Its working directory; by default the one that this process was started in. */
  readonly cwd?: string;
  /**
   * The names of what it gets, from descriptor 3 on, in this order; by default every listener and every datagram socket of
   * this process.
   */
  readonly names?: readonly string[];
  /** By which variables it finds them: `'systemd'` (`LISTEN_FDS`, the default), `'nginx'` or `'server-starter'`. */
  readonly convention?: Convention;
  /**
   * When it is ready. By default it says so: READY=1 to its `NOTIFY_SOCKET`, or a newline on its ready descriptor. Or:
   * `'tcp'` and `'http:/path'`, when it accepts or answers on its first TCP listener; `'tcp:9000'` and
   * `'http://127.0.0.1:9000/path'`, where it alone listens; `'after:2s'`, when it still runs then.
   */
  readonly readyWhen?: string;
  /** The number of its ready descriptor (s6's `notification-fd`); by default one that `FD_HANDOFF_READY_FD` tells. */
  readonly readyFd?: number;
  /** How long it may take from its start to ready, in milliseconds; `readyTimeout` of `handoff()` by default. */
  readonly readyTimeout?: number;
  /** What tells it to finish what it has and leave; SIGTERM by default. nginx wants SIGQUIT. */
  readonly stopSignal?: NodeJS.Signals;
  /**
   * How long it may take for that before it is killed, in milliseconds; by default as long as this process may: its
   * `drainTimeout` where another one serves, its `shutdownTimeout` where none does.
   */
  readonly stopTimeout?: number;
}

const names: Readonly<Record<keyof ProgramOptions, true>> = {
  command: true,
  args: true,
  env: true,
  cwd: true,
  names: true,
  convention: true,
  readyWhen: true,
  readyFd: true,
  readyTimeout: true,
  stopSignal: true,
  stopTimeout: true,
};

/** The options with their defaults, checked. */
export function readProgramOptions(
  options: ProgramOptions,
  settings: Settings,
): Omit<HostPlan, 'descriptors' | 'stderr'> {
  checkOptionNames('program()', options, names);
  const { command, args, env, cwd, convention = 'systemd', readyWhen, readyFd, stopSignal = 'SIGTERM' } = options;
  if (typeof command !== 'string') throw invalid(TypeError, '"command" must be a non-empty string.');
  checkLaunch({ command, args, env, cwd });
  if (!conventions.includes(convention)) {
    throw invalid(RangeError, `"convention" must be one of ${conventions.join(', ')}. Received ${String(convention)}`);
  }
  if (readyFd !== undefined && !(Number.isInteger(readyFd) && readyFd >= firstInherited && readyFd < 1024)) {
    throw invalid(RangeError, `"readyFd" must be a number from ${firstInherited} to 1023. Received ${String(readyFd)}`);
  }
  if (!Object.hasOwn(constants.signals, stopSignal)) {
    throw invalid(RangeError, `"stopSignal" must be the name of a signal. Received ${String(stopSignal)}`);
  }
  const readiness: Readiness = readyWhen === undefined ? { by: 'word' } : parseReadiness(readyWhen);
  return {
    ...launchOf({
      command,
      ...(args === undefined ? {} : { args }),
      // It is a part of this process and not its successor: what this process has made of its environment is for it.
      env: env ?? process.env,
      ...(cwd === undefined ? {} : { cwd }),
    }),
    choose: chooser(options.names),
    convention,
    readiness,
    readyNumber: readyFd ?? null,
    readyTimeout: readTimeout('readyTimeout', options.readyTimeout ?? settings.readyTimeout),
    stopSignal,
    stopTimeout: readTimeout('stopTimeout', options.stopTimeout ?? settings.drainTimeout),
    orphanTimeout: options.stopTimeout ?? settings.shutdownTimeout,
  };
}

function chooser(wanted: readonly string[] | undefined): HostPlan['choose'] {
  if (wanted === undefined) return (descriptors) => descriptors.filter(({ fd }) => receives(fd));
  if (!Array.isArray(wanted) || !wanted.every((name) => typeof name === 'string')) {
    throw invalid(TypeError, '"names" must be an array of strings.');
  }
  return (descriptors) => wanted.map((name) => named(name, descriptors));
}

function named(name: string, descriptors: readonly NamedDescriptor[]): NamedDescriptor {
  const found = descriptors.find((descriptor) => descriptor.name === name);
  if (found !== undefined) return found;
  const known = descriptors.map((descriptor) => `"${descriptor.name}"`).join(', ');
  throw invalid(RangeError, `"names" has "${name}", and this process holds ${known || 'nothing'}.`);
}

function invalid(type: ErrorConstructor, message: string): Error {
  return Object.assign(new type(message), {
    code: type === TypeError ? 'ERR_INVALID_ARG_TYPE' : 'ERR_OUT_OF_RANGE',
  });
}
