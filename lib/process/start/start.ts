import { isAbsolute, join, relative, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import {
  type CommandLine,
  commandLineOfThisProcess,
  type NodeArguments,
  type Source,
  sourceOf,
  splitArguments,
} from './command-line.ts';
import { folderOfStart } from './folder.ts';
import { environmentOfStart, variableOfStart } from './initial-environment.ts';
import { Runtime } from './runtime.ts';

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

// Read when the module is loaded, before the application can change more of it: its working directory, its arguments, or
// what a link leads to.
const executable = isSingleExecutable();
const optionCount = process.execArgv.length;
const current = currentFolder();
const folder = folderOfStart({
  current,
  pwd: variableOfStart('PWD'),
  script: () => split(commandLineOfThisProcess()).script,
  // A worker thread's is its own script.
  found: isMainThread ? process.argv[1] : undefined,
});
const runtime = new Runtime(process.argv0, { cwd: folder, PATH: variableOfStart('PATH') }, process.execPath);

/**
 * The command line and working directory of this process's start, as they were written: whatever links they were written
 * through are followed anew, Node's own included.
 */
export function startOfThisProcess(): Start {
  return { command: runtime.command, args: commandLineOfThisProcess().args, cwd: folder };
}

/** What of this process's start cannot be had again; null where all of it can. */
export function lossOfStart(): string | null {
  const { missing } = runtime;
  return missing === null ? null : `${missing} is not there any more`;
}

/** Whether a command means what runs this process, and not a program that may not know this library. */
export function isOwnRuntime(command: string): boolean {
  return runtime.is(command);
}

/** Where this process's program comes from: what came on standard input is not to be had again. */
export function sourceOfThisProcess(): Source {
  const { NODE_OPTIONS } = environmentOfStart();
  return sourceOf(split(commandLineOfThisProcess()), executable, NODE_OPTIONS);
}

/** The script of this process's start, as it was written; null where there is none (`node -e`). */
export function scriptOfThisProcess(): StartedScript | null {
  const { script, args } = split(commandLineOfThisProcess());
  return script === null ? null : { script, args, cwd: folder };
}

/** How many of the arguments of this process's start are Node's own. */
export function optionsOfThisProcess(): number {
  return executable ? 0 : optionCount;
}

/**
 * The path that `path` is from the current folder, through the links by which the folder of the start was entered: what
 * `current` leads to by then is what is meant.
 */
export function throughLinks(path: string): string {
  const absolute = resolve(path);
  if (current === null) return absolute;
  const inside = relative(current, absolute);
  return inside.startsWith('..') || isAbsolute(inside) ? absolute : join(folder, inside);
}

function split({ args }: CommandLine): NodeArguments {
  return splitArguments(args, optionCount, executable);
}

/** Whether the program is a part of the executable, and no argument names it. */
function isSingleExecutable(): boolean {
  const sea = process.getBuiltinModule?.('node:sea') as { isSea?: () => boolean } | undefined;
  return sea?.isSea?.() === true;
}

function currentFolder(): string | null {
  try {
    return process.cwd();
  } catch {
    return null;
  }
}
