import { expect, it } from 'vitest';
import { createProgram, run } from '../../../lib/cli/program.ts';
import { packageVersion } from '../../../lib/process/package-version.ts';
import { RecordedCall } from '../../support/recorded-call.ts';

async function called(...args: string[]): Promise<RecordedCall> {
  const call = new RecordedCall();
  await run(args, call);
  return call;
}

it('has a version and a help on standard output', async () => {
  expect(await called('--version')).toMatchObject({ output: `${packageVersion()}\n`, errors: '', exitCode: 0 });
  const help = await called('--help');
  expect(help).toMatchObject({ errors: '', exitCode: 0 });
  expect(help.output).toContain('Usage: fd-handoff');
});

it('shows its help as a mistake where nothing is asked for', async () => {
  const call = await called();
  expect(call).toMatchObject({ output: '', exitCode: 2 });
  expect(call.errors).toContain('Usage: fd-handoff');
});

const names = createProgram(new RecordedCall()).commands.map((command) => command.name());

it.each(names)('%s has examples and exit codes in its help', async (name) => {
  const { output, exitCode } = await called(name, '--help');
  expect(exitCode).toBe(0);
  expect(output).toMatch(new RegExp(`\\nExamples:\\n {2}fd-handoff ${name} `));
  expect(output).toMatch(/\nExit codes:\n {2}\d+ {2,}\S/);
});

it.each([
  ['an unknown sub-command', ['completoin'], "unknown command 'completoin'. Did you mean completion?", ''],
  ['an unknown option', ['--versoin'], "unknown option '--versoin'. Did you mean --version?", ''],
  [
    'an option of a sub-command',
    ['completion', '--hlep'],
    "unknown option '--hlep'. Did you mean --help?",
    'completion ',
  ],
  ['a missing argument', ['completion'], "missing required argument 'shell'.", 'completion '],
])('%s is one sentence with the nearest name, and exit code 2', async (_what, args, sentence, sub) => {
  const call = await called(...args);
  expect(call.errors).toBe(`fd-handoff: ${sentence}\nTry: fd-handoff ${sub}--help\n`);
  expect(call).toMatchObject({ output: '', exitCode: 2 });
});
