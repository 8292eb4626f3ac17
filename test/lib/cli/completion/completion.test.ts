import { expect, it } from 'vitest';
import { printCompletions } from '../../../../lib/cli/completion/completion.ts';
import { completionScripts, shells } from '../../../../lib/cli/completion/completion-script.ts';
import { createProgram, run } from '../../../../lib/cli/program.ts';
import { RecordedCall } from '../../../support/recorded-call.ts';

it.each(shells)('prints what %s reads, and nothing else', async (shell) => {
  const call = new RecordedCall();
  await run(['completion', shell], call);
  expect(call).toMatchObject({ output: completionScripts[shell], errors: '', exitCode: 0 });
});

it('another shell is a mistake that names those that there are', async () => {
  const call = new RecordedCall();
  await run(['completion', 'tcsh'], call);
  expect(call).toMatchObject({ output: '', exitCode: 2 });
  for (const shell of shells) expect(call.errors).toContain(shell);
});

function answered(...words: string[]): string[] {
  const call = new RecordedCall();
  printCompletions(createProgram(call), words, call);
  return call.output.trimEnd().split('\n');
}

it('a shell is answered with a word a line and what it is for, and last with what it adds by itself', () => {
  expect(answered('stat')).toEqual(['status\twhat the process on a control path is doing', ':nothing']);
  expect(answered('status', './a')).toEqual([':files']);
  expect(answered('completion', 'z')).toEqual(['zsh\t', ':nothing']);
});
