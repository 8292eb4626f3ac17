import { Command, Option } from 'commander';
import { expect, it } from 'vitest';
import { complete } from '../../../../lib/cli/completion/completion-words.ts';

const program = new Command('fd-handoff').version('1');
program.command('secret', { hidden: true });
program
  .command('run')
  .summary('runs it')
  .option('-q, --quiet')
  .option('--every [seconds]')
  .option('--from <file>')
  .addOption(new Option('--how <way>').choices(['well', 'badly']))
  .argument('<control>')
  .argument('[program...]');
program.command('host').argument('<program>').argument('[args...]');
program.command('list').argument('<what>').argument('[more]');

function words(...typed: string[]): string[] {
  return complete(program, typed).candidates.map(({ word }) => word);
}

function besides(...typed: string[]): string {
  return complete(program, typed).besides;
}

it('knows the sub-commands, with what they do', () => {
  expect(complete(program, ['ru'])).toEqual({
    candidates: [{ word: 'run', description: 'runs it' }],
    besides: 'nothing',
  });
  expect(words('')).toEqual(['run', 'host', 'list', 'help']);
  expect(words('help', 'l')).toEqual(['list']);
  expect(words('help', 'list', '')).toEqual([]);
});

it('knows the options of each', () => {
  expect(words('-')).toEqual(['--version', '--help']);
  expect(words('run', '--')).toEqual(['--quiet', '--every', '--from', '--how', '--help']);
  expect(words('list', '--')).toEqual(['--help']);
});

it('knows the values of an option, or leaves them to the shell', () => {
  expect(words('run', '--how', '')).toEqual(['well', 'badly']);
  expect(besides('run', '--from', '')).toBe('files');
  // One that may stand alone swallows nothing.
  expect(besides('run', '--every', '')).toBe('files');
});

it('leaves paths to the shell, and commands after the --', () => {
  expect(besides('run', '')).toBe('files');
  expect(besides('run', 'a.sock', '')).toBe('commands');
  expect(besides('run', '-q', '--how', 'well', 'a.sock', '--', '')).toBe('commands');
  expect(besides('run', 'a.sock', '--', 'node', '')).toBe('files');
  expect(words('run', 'a.sock', '--', 'node', '--')).toEqual([]);
  expect([besides('host', ''), besides('host', 'node', ''), besides('host', 'node', 'a', '')]).toEqual([
    'commands',
    'files',
    'files',
  ]);
});

it('has nothing to say where nothing belongs', () => {
  expect(complete(program, ['list', 'a', 'b', ''])).toEqual({ candidates: [], besides: 'nothing' });
  expect(complete(program, ['unheard', ''])).toEqual({ candidates: [], besides: 'nothing' });
  expect(complete(program, [])).toMatchObject({ besides: 'nothing' });
});
