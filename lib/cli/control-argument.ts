import { Argument, InvalidArgumentError, Option } from 'commander';

/** How long a process may take to answer what it is asked, in seconds: it does so in one or two milliseconds, and five
 * seconds forgive a machine that is swapping. */
const defaultTimeout = 5;

/** `setTimeout()` takes 31 bits of milliseconds. */
const longest = 2_147_483;

export function controlArgument(): Argument {
  return new Argument('<control>', 'path of the control socket, or @name');
}

export function timeoutOption(): Option {
  return new Option('--timeout <seconds>', 'how long the process may take to answer')
    .argParser(parseSeconds)
    .default(defaultTimeout);
}

/** Reads an option in seconds. */
export function parseSeconds(text: string): number {
  const seconds = text.trim() === '' ? Number.NaN : Number(text);
  if (seconds > 0 && seconds <= longest) return seconds;
  throw new InvalidArgumentError(`Give seconds, more than 0 and at most ${longest}.`);
}
