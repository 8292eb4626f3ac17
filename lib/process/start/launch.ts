import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { HandoffError } from '../../fd/handoff-error.ts';
import { type DebuggerStart, environmentWithDebugger, withDebugger } from './debugger-options.ts';
import { environmentOfStart, variableOfStart } from './initial-environment.ts';
import {
  isOwnRuntime,
  lossOfStart,
  optionsOfThisProcess,
  type Start,
  sourceOfThisProcess,
  startOfThisProcess,
} from './start.ts';

/** How the next version is to be started: a program in a folder, with the environment that it gets. */
export interface Launch extends Start {
  readonly env: NodeJS.ProcessEnv;
}

/** What of a launch is given; what is not is as it was when this process was started. */
export interface LaunchOptions {
  readonly command?: string;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** How a version is started that `options` say this much of. Another program gets none of this one's arguments. */
export function launchOf(options: LaunchOptions): Launch {
  const { command, args, cwd } = startOfThisProcess();
  const own: Launch = { command, args: options.command === undefined ? args : [], cwd, env: environmentOfStart() };
  return withChanges(own, options);
}

/**
 * `launch` with what is given in its place. `$PWD` goes along with the folder, as a shell has it: only that knows through
 * which links it was entered, and the next version's next version is to follow the same ones.
 */
export function withChanges(launch: Launch, { command, args, env, cwd }: LaunchOptions): Launch {
  const folder = cwd === undefined ? launch.cwd : resolve(cwd);
  const variables = env ?? launch.env;
  const moves = folder !== launch.cwd && variables.PWD === launch.env.PWD;
  return {
    command: command ?? launch.command,
    args: args ?? launch.args,
    env: moves ? { ...variables, PWD: folder } : variables,
    cwd: folder,
  };
}

const launchFields: readonly string[] = ['command', 'args', 'env', 'cwd'] satisfies (keyof LaunchOptions)[];

/** Throws a TypeError for what is no part of a launch. */
export function checkLaunch(
  options: { readonly [field in keyof LaunchOptions]: LaunchOptions[field] | undefined },
): void {
  if (typeof options !== 'object' || options === null) throw wrongType('What is launched', 'an object', options);
  const unknown = Object.keys(options).find((field) => !launchFields.includes(field));
  if (unknown !== undefined) throw wrongType(`"${unknown}"`, `one of ${launchFields.join(', ')}`, unknown);
  const { command, args, env, cwd } = options;
  if (command !== undefined && !isPath(command)) throw wrongType('"command"', 'a non-empty string', command);
  if (args !== undefined && !(Array.isArray(args) && args.every((argument) => typeof argument === 'string'))) {
    throw wrongType('"args"', 'an array of strings', args);
  }
  if (env !== undefined && (typeof env !== 'object' || env === null)) throw wrongType('"env"', 'an object', env);
  if (cwd !== undefined && !isPath(cwd)) throw wrongType('"cwd"', 'a non-empty string', cwd);
}

function isPath(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function wrongType(what: string, expected: string, received: unknown): TypeError {
  return Object.assign(new TypeError(`${what} must be ${expected}. Received ${typeof received}`), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
}

/** Whether it is this process's own program: any other may not know this library. */
export function isOwnProgram({ command }: Pick<Launch, 'command'>): boolean {
  return isOwnRuntime(command);
}

/**
 * Throws where a launch cannot come to anything, and what the system would say of that does not tell why: before anything
 * is started or stopped for it.
 *
 * @throws ERR_HANDOFF_EXEC_FAILED where Node was removed, or the working directory, or where the program has come on
 *   standard input, which is read by now
 */
export function requireStartable(launch: Launch): void {
  const loss = isOwnProgram(launch) ? lossOfStart() : null;
  if (loss !== null) {
    throw notStartable(
      `what runs this process was removed: ${loss}. Put it back, or give what is to run the next version as "command", to upgrade() or from the hook beforeSpawn`,
    );
  }
  if (!isFolder(launch.cwd)) throw notStartable(`its working directory ${launch.cwd} ${goneFolder(launch)}`);
  // Compared as arrays: the same ones, which nobody has put others in the place of.
  if (isOwnProgram(launch) && launch.args === startOfThisProcess().args && sourceOfThisProcess() === 'standard input') {
    throw notStartable(
      'the program of this process was read from standard input, and cannot be read again: start it from a file, or give "args"',
    );
  }
}

/**
 * `launch` with Node's debugger in the way that `start` says: two processes cannot have one port, and one that waits for a
 * debugger is never ready. Only of this process's own program it is known which of its arguments are Node's.
 */
export function launchWithDebugger(launch: Launch, start: DebuggerStart): Launch {
  const env = environmentWithDebugger(launch.env, start);
  if (!isOwnProgram(launch)) return { ...launch, env };
  const count = launch.args === startOfThisProcess().args ? optionsOfThisProcess() : undefined;
  return { ...launch, env, args: withDebugger(launch.args, start, count) };
}

function goneFolder({ cwd }: Launch): string {
  const byItsName = cwd === startOfThisProcess().cwd && variableOfStart('PWD') !== cwd;
  const link = byItsName
    ? ' If it was entered through a link, nobody has said so: the environment of the start had no PWD for it.'
    : '';
  return `is no folder any more.${link} Give "cwd", to upgrade() or from the hook beforeSpawn`;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function notStartable(why: string): HandoffError {
  return new HandoffError(
    'ERR_HANDOFF_EXEC_FAILED',
    `The next version could not be started: ${why}. This process serves on.`,
  );
}
