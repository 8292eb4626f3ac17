import { readFileSync } from 'node:fs';

/** How a process was started: its program by the name that was used, and everything after it, Node's own options included. */
export interface CommandLine {
  readonly program: string;
  readonly args: readonly string[];
}

/** A command line as the program's part of it is told from Node's. */
export interface NodeArguments {
  /** For Node itself. */
  readonly options: readonly string[];
  /** The script as it was written; null where there is none (`node -e`, standard input, a single executable application). */
  readonly script: string | null;
  /** For the program. */
  readonly args: readonly string[];
}

/** Where the program of this process comes from. */
export type Source = 'script' | 'command line' | 'preload' | 'standard input' | 'executable';

/** What evaluates text of the command line. */
const evaluates = /^(-e|-p|-pe|--eval|--print)(=|$)/;

/** What loads a module before there is a script, or runs without one. */
const loads = /^(-r|--require|--import|--experimental-loader|--loader|--test|--run)(=|$)/;

// Read when the module is loaded: a title that the program sets later is written over it (libuv's uv_set_process_title).
let known = readKernel();

/**
 * The command line of this process as the kernel has it, which is how it was started: `process.argv` and `process.execArgv`
 * are arrays of the program's own, and programs with sub-commands splice them.
 */
export function commandLineOfThisProcess(): CommandLine {
  known ??= readRuntime();
  return known;
}

/**
 * Reads what `/proc/self/cmdline` has; null for what is a title and not a command line. One that is written over it ends in
 * zeros as far as the arguments went, and does not begin with the name that the program was started by.
 *
 * @param argv0 that name, as Node has kept it
 * @param argc how many arguments Node was left with: one that has some cannot have been started without any
 */
export function parseCommandLine(text: string, argv0: string, argc: number): CommandLine | null {
  const [program = '', ...args] = text.replace(/\0$/, '').split('\0');
  if (program !== argv0) return null;
  return argc > 1 && args.every((argument) => argument === '') ? null : { program, args };
}

function readKernel(): CommandLine | null {
  try {
    return parseCommandLine(readFileSync('/proc/self/cmdline', 'utf8'), process.argv0, process.argv.length);
  } catch {
    // No /proc here: macOS, or a root folder that has none.
    return null;
  }
}

/**
 * Node's own copy, which it shows in its report alone. That costs some 20 ms, and more where every address of this process
 * were looked up by name: it is asked only when the kernel cannot be.
 */
function readRuntime(): CommandLine {
  // Older declarations of Node have no `excludeNetwork`.
  const report: { excludeNetwork?: boolean; getReport(): object } | undefined = process.report;
  // A runtime without reports: what the program has left of it.
  if (report === undefined) return { program: process.argv0, args: [...process.execArgv, ...process.argv.slice(1)] };
  const { excludeNetwork = false } = report;
  try {
    report.excludeNetwork = true;
    const { header } = report.getReport() as { header: { commandLine: [string, ...string[]] } };
    const [program, ...args] = header.commandLine;
    return { program, args };
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}

/**
 * Tells Node's options from the script and its arguments.
 *
 * @param options how many arguments are Node's own: `process.execArgv`, which Node has counted
 * @param executable whether the program is a part of the executable, and there is no script on the command line
 */
export function splitArguments(args: readonly string[], options: number, executable = false): NodeArguments {
  if (executable) return { options: [], script: null, args };
  const own = args.slice(0, options);
  const rest = args.slice(args[options] === '--' ? options + 1 : options);
  const [first] = rest;
  const hasScript = first !== undefined && first !== '-' && !own.some((option) => evaluates.test(option));
  return hasScript ? { options: own, script: first, args: rest.slice(1) } : { options: own, script: null, args: rest };
}

/**
 * Where a program with these arguments comes from.
 *
 * @param nodeOptions `NODE_OPTIONS`, which can name modules as well
 */
export function sourceOf({ options, script }: NodeArguments, executable: boolean, nodeOptions = ''): Source {
  if (executable) return 'executable';
  if (script !== null) return 'script';
  if (options.some((option) => evaluates.test(option))) return 'command line';
  return [...options, ...nodeOptions.split(/\s+/)].some((option) => loads.test(option)) ? 'preload' : 'standard input';
}
