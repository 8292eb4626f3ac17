import type { Command } from 'commander';

/** A program and its arguments. */
export interface ProgramWords {
  readonly command: string;
  readonly args: readonly string[];
}

/**
 * The program that stands after `--`, and the words before it. Commander drops the `--`, and knows no end of a list of
 * words but that of all.
 *
 * @param words the operands of a sub-command, those after `--` included
 */
export function splitWords(words: readonly string[], command: Command): { before: string[]; program: ProgramWords } {
  const { rawArgs } = (command.parent ?? command) as Command & { readonly rawArgs: readonly string[] };
  const dashes = rawArgs.indexOf('--');
  const length = dashes === -1 ? 0 : rawArgs.length - dashes - 1;
  const before = words.slice(0, words.length - length);
  const [name, ...args] = words.slice(words.length - length);
  if (length === 0 || name === undefined) return command.error('error: the program is missing: it stands after "--"');
  return { before, program: { command: name, args } };
}
