import { Argument, Option } from 'commander';
import { parseWait } from './duration.ts';

/**
 * How long a process may take to answer what it is asked, in milliseconds: it does so in one or two, and five seconds
 * forgive a machine that is swapping.
 */
const defaultTimeout = 5_000;

export function controlArgument(): Argument {
  return new Argument('<control>', 'path of the control socket, or @name');
}

export function timeoutOption(): Option {
  return new Option('--timeout <duration>', 'how long the process may take to answer')
    .argParser(parseWait)
    .default(defaultTimeout, '5s');
}
