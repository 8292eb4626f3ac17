import { realpathSync } from 'node:fs';
import { isAbsolute, join, relative } from 'node:path';

/** How this process was started: what it takes to start its next version in the same way. */
export interface Start {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

/** The script that Node runs in this process, and what it was given. */
export interface StartedScript {
  readonly script: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

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

// Read when the module is loaded, before the application can change its working directory: a relative script would not
// be found from another one.
const realFolder = currentFolder();
const folder = logicalFolder(realFolder);

/**
 * The command line and working directory of this process's start. Paths go through the symbolic links that they were
 * started through: a deployment that points `current` to another release is followed.
 */
export function startOfThisProcess(): Start {
  return {
    command: process.execPath,
    args: [...process.execArgv, ...process.argv.slice(1, 2).map(throughLinks), ...process.argv.slice(2)],
    cwd: folder,
  };
}

/** The script of this process's start, through the same links; null where there is none (`node -e`). */
export function scriptOfThisProcess(): StartedScript | null {
  const [, script, ...args] = process.argv;
  return script === undefined ? null : { script: throughLinks(script), args, cwd: folder };
}

/** How a version is started that `options` say this much of. Another program gets none of this one's arguments. */
export function launchOf(options: LaunchOptions): Launch {
  const start = startOfThisProcess();
  return {
    command: options.command ?? start.command,
    args: options.args ?? (options.command === undefined ? start.args : []),
    env: options.env ?? process.env,
    cwd: options.cwd ?? start.cwd,
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
export function isOwnProgram({ command }: Launch): boolean {
  return command === process.execPath;
}

function currentFolder(): string {
  try {
    return process.cwd();
  } catch {
    // The folder was removed under us. An upgrade will fail with a clear ENOENT then; importing must not.
    return '/';
  }
}

/** `$PWD` keeps the links that `process.cwd()` has resolved, if it speaks of the same folder at all. */
function logicalFolder(real: string): string {
  const logical = process.env.PWD;
  if (logical === undefined || !isAbsolute(logical)) return real;
  try {
    return realpathSync(logical) === real ? logical : real;
  } catch {
    return real;
  }
}

/** Node makes the script's path absolute with the resolved folder; this puts the unresolved one back. */
function throughLinks(script: string): string {
  const inside = relative(realFolder, script);
  return inside.startsWith('..') || isAbsolute(inside) ? script : join(folder, inside);
}
