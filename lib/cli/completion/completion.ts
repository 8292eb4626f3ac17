import { Argument, type Command } from 'commander';
import type { Call } from '../call/call.ts';
import { addSubcommand } from '../call/subcommand.ts';
import { completionScripts, type Shell, shells } from './completion-script.ts';
import { complete } from './completion-words.ts';

/** The first argument by which a shell asks for completions; what follows is what somebody has typed so far. */
export const completionRequest = '__complete';

export function registerCompletion(program: Command, call: Call): void {
  addSubcommand(program, call, {
    name: 'completion',
    summary: 'print what makes a shell complete this command',
    description: 'Prints a script that makes a shell complete sub-commands, options and paths of fd-handoff.',
    examples: [
      [`completion bash >> ~/.bash_completion`, 'for every new bash'],
      [`completion zsh > "\${fpath[1]}/_fd-handoff"`, 'for every new zsh, where that folder is yours'],
      [`completion fish > ~/.config/fish/completions/fd-handoff.fish`, 'for every new fish'],
    ],
    exitCodes: ['done', 'usage'],
  })
    .addArgument(new Argument('<shell>', 'which shell reads it').choices(shells))
    .action((shell: Shell) => {
      call.stdout.write(completionScripts[shell]);
    });
}

/** Answers the shell. */
export function printCompletions(program: Command, words: readonly string[], call: Call): void {
  const { candidates, besides } = complete(program, words);
  for (const { word, description } of candidates) call.say(`${word}\t${description}`);
  call.say(`:${besides}`);
}
