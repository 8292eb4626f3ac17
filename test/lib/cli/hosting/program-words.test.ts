import { Command } from 'commander';
import { expect, it } from 'vitest';
import { splitWords } from '../../../../lib/cli/hosting/program-words.ts';

/** What a sub-command makes of its arguments. */
async function split(...args: string[]): Promise<unknown> {
  let result: unknown;
  const program = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  const command = program.command('run').argument('[words...]').option('--flag <value>').exitOverride();
  command.action((words: string[]) => {
    result = splitWords(words, command);
  });
  await program.parseAsync(['run', ...args], { from: 'user' });
  return result;
}

it('what stands after the first "--" is the program, whatever it looks like', async () => {
  expect(await split('8080', '--flag', 'x', '81', '--', 'server', '--port', '1', '--', 'y')).toEqual({
    before: ['8080', '81'],
    program: { command: 'server', args: ['--port', '1', '--', 'y'] },
  });
  expect(await split('--', 'server')).toEqual({ before: [], program: { command: 'server', args: [] } });
});

it.each([[['8080', 'server']], [['8080', '--']], [[]]])('%j has no program', async (args) => {
  await expect(split(...args)).rejects.toThrow('the program is missing');
});
