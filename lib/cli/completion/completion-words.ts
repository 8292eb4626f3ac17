import type { Argument, Command, Option } from 'commander';

/** A word that can stand where somebody is typing. */
export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** What can stand there; `besides` is what the shell knows better: names of files, or of commands. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly besides: 'nothing' | 'files' | 'commands';
}

const nothing: Completion = { candidates: [], besides: 'nothing' };
const files: Completion = { candidates: [], besides: 'files' };

/** What can stand in place of the last of `words`, those after the name of the program. */
export function complete(program: Command, words: readonly string[]): Completion {
  const before = words.slice(0, -1);
  const typed = words.at(-1) ?? '';
  const [name, ...given] = before;
  const completion = name === undefined ? subcommandsOf(program, typed) : inSubcommand(program, name, given, typed);
  return { ...completion, candidates: completion.candidates.filter(({ word }) => word.startsWith(typed)) };
}

function subcommandsOf(program: Command, typed: string): Completion {
  if (typed.startsWith('-')) return { candidates: optionsOf(program), besides: 'nothing' };
  const commands = program.createHelp().visibleCommands(program);
  const candidates = commands.map((command) => ({ word: command.name(), description: command.summary() }));
  return { candidates, besides: 'nothing' };
}

function inSubcommand(program: Command, name: string, given: readonly string[], typed: string): Completion {
  if (name === 'help') return given.length === 0 ? subcommandsOf(program, typed) : nothing;
  const command = program.commands.find((candidate) => candidate.name() === name);
  if (command === undefined) return nothing;
  const { position, pending, ended } = place(command, given);
  if (pending !== null) return valuesOf(pending.argChoices);
  const argument = argumentAt(command, position);
  if (typed.startsWith('-') && !ended) return { candidates: optionsOf(command), besides: 'nothing' };
  if (argument === undefined) return nothing;
  // What comes after the program's own name are its arguments.
  if (position === indexOfProgram(command)) return { candidates: [], besides: 'commands' };
  return valuesOf(argument.argChoices);
}

/** The name of an argument that takes a program, or a whole command line. */
const programArgument = 'program';

interface Place {
  /** How many arguments stand before. */
  readonly position: number;
  /** The option whose value is being typed. */
  readonly pending: Option | null;
  /** Whether options have ended, by `--` or because a program's own have begun. */
  readonly ended: boolean;
}

function place(command: Command, given: readonly string[]): Place {
  let position = 0;
  let pending: Option | null = null;
  let ended = false;
  for (const word of given) {
    if (pending !== null) pending = null;
    else if (ended) position++;
    else if (word === '--') {
      ended = true;
      position = Math.max(position, indexOfProgram(command));
    } else if (word.startsWith('-')) pending = expectsValue(command, word);
    else {
      ended = position === indexOfProgram(command);
      position++;
    }
  }
  return { position, pending, ended };
}

function indexOfProgram(command: Command): number {
  return command.registeredArguments.findIndex((argument) => argument.name() === programArgument);
}

function argumentAt(command: Command, position: number): Argument | undefined {
  const last = command.registeredArguments.at(-1);
  return command.registeredArguments[position] ?? (last?.variadic === true ? last : undefined);
}

function expectsValue(command: Command, word: string): Option | null {
  const option = command.options.find(({ long, short }) => long === word || short === word);
  return option?.required === true ? option : null;
}

function valuesOf(choices: readonly string[] | undefined): Completion {
  if (choices === undefined) return files;
  return { candidates: choices.map((word) => ({ word, description: '' })), besides: 'nothing' };
}

function optionsOf(command: Command): Candidate[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map((option) => ({ word: option.long ?? option.short ?? '', description: option.description }));
}
