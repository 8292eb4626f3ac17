/** What becomes of the options by which Node opens its inspector: `--inspect` and those that also stop at the first line. */
export type DebuggerStart =
  /** The port is opened, and nobody is waited for: a successor that did would miss its ready timeout. */
  | 'without waiting'
  /** No port is opened; the one that was asked for is what SIGUSR1 opens. */
  | 'on demand';

/** Those that open a port. `--inspect-port` and `--inspect-publish-uid` only say how, and stay as they are. */
const opens = new Set(['--inspect', '--inspect-brk', '--inspect-brk-node', '--inspect-wait']);

/** Options of Node whose value is the next argument. */
const takesNext =
  /^(-r|--require|--import|--loader|--experimental-loader|-C|--conditions|--env-file|--env-file-if-exists|--title|--inspect-port|--debug-port|--disable-warning|--input-type|-e|--eval|-p|-pe|--print)$/;

/** One of Node's options for the next process; null where nothing is left of it. */
function rewritten(option: string, start: DebuggerStart): string | null {
  const [name = '', ...values] = option.split('=');
  // Node takes `_` for `-` in its options.
  if (!opens.has(name.replaceAll('_', '-'))) return option;
  const value = values.length === 0 ? '' : `=${values.join('=')}`;
  if (start === 'without waiting') return `--inspect${value}`;
  return value === '' ? null : `--inspect-port${value}`;
}

/**
 * Arguments of Node, with a debugger in the way that `start` says.
 *
 * @param count how many are Node's own, where that is known; else they end where something that is no option begins
 */
export function withDebugger(args: readonly string[], start: DebuggerStart, count = countOptions(args)): string[] {
  let isValue = false;
  const options = args.slice(0, count).map((option) => {
    const next = isValue ? option : rewritten(option, start);
    isValue = !isValue && takesNext.test(option);
    return next;
  });
  return [...options.filter((option) => option !== null), ...args.slice(count)];
}

/**
 * An environment in whose `NODE_OPTIONS` the debugger is in the way that `start` says. Node splits them at spaces, and has
 * double quotes, with a backslash before what stands for itself.
 */
export function environmentWithDebugger(env: NodeJS.ProcessEnv, start: DebuggerStart): NodeJS.ProcessEnv {
  const { NODE_OPTIONS, ...others } = env;
  if (NODE_OPTIONS === undefined) return env;
  const changed = NODE_OPTIONS.replace(/(?:[^ "]|"(?:\\.|[^"\\])*")+/g, (word) => {
    const option = word.replace(/"((?:\\.|[^"\\])*)"/g, (_, quoted: string) => quoted.replace(/\\(.)/g, '$1'));
    const next = rewritten(option, start);
    return next === option ? word : (next ?? '');
  });
  if (changed === NODE_OPTIONS) return env;
  return changed.trim() === '' ? others : { ...others, NODE_OPTIONS: changed.trim() };
}

function countOptions(args: readonly string[]): number {
  let count = 0;
  while (count < args.length) {
    const option = args[count] as string;
    if (!option.startsWith('-') || option === '-' || option === '--') break;
    count += takesNext.test(option) ? 2 : 1;
  }
  return count;
}
