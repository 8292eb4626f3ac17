import type { Command } from 'commander';
import type { Call } from './call.ts';
import { alignColumns } from './columns.ts';
import { type ExitCodeName, exitCodes } from './exit-code.ts';

/** What a sub-command says of itself. */
export interface About {
  readonly name: string;
  /** A few words for the list of sub-commands. */
  readonly summary: string;
  /** What it does and what happens when that fails: whole sentences. */
  readonly description: string;
  /** Command lines without the command's name, and what each does. */
  readonly examples: readonly (readonly [commandLine: string, does: string])[];
  readonly exitCodes: readonly ExitCodeName[];
  /** What its exit codes say beyond the table, as lines of it. */
  readonly otherExitCodes?: readonly (readonly [code: string, meaning: string])[];
}

/** Registers a sub-command with the program. */
export type Register = (program: Command, call: Call) => void;

/** Adds a sub-command with what all of them have; arguments, options and action are its own to add. */
export function addSubcommand(program: Command, call: Call, about: About): Command {
  const codes = [
    ...about.exitCodes.map((name) => [String(exitCodes[name].code), exitCodes[name].meaning] as const),
    ...(about.otherExitCodes ?? []),
  ];
  return program
    .command(about.name)
    .summary(about.summary)
    .description(about.description)
    .showHelpAfterError(`Try: fd-handoff ${about.name} --help`)
    .option('--debug', 'show where an error comes from (as the variable FD_HANDOFF_DEBUG=1 does)')
    .on('option:debug', () => {
      call.debug = true;
    })
    .addHelpText('after', () => `${section(call, 'Examples:', about.examples.map(example))}`)
    .addHelpText('after', () => section(call, 'Exit codes:', alignColumns(codes, ['left', 'left'])));
}

/** A titled part of the help, set apart by an empty line. */
export function section(call: Call, title: string, lines: readonly string[]): string {
  return `\n${call.paint('bold', title)}\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

function example([commandLine, does]: readonly [string, string]): string {
  return `fd-handoff ${commandLine}\n      ${does}`;
}
