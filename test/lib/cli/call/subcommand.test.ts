import { Command } from 'commander';
import { expect, it } from 'vitest';
import { type About, addSubcommand, section } from '../../../../lib/cli/call/subcommand.ts';
import { RecordedCall } from '../../../support/recorded-call.ts';

const about: About = {
  name: 'look',
  summary: 'look at it',
  description: 'Looks at it, and says what is there.',
  examples: [['look ./app.sock', 'at this one']],
  exitCodes: ['done', 'nobody'],
  otherExitCodes: [['other', 'what it has seen']],
};

/** The program with this one sub-command; what it writes is the call's. */
function programOf(call: RecordedCall, action: () => void = () => {}): Command {
  const program = new Command('fd-handoff').exitOverride().configureOutput({
    writeOut: (text) => call.stdout.write(text),
    writeErr: (text) => call.stderr.write(text),
  });
  addSubcommand(program, call, about).action(action);
  return program;
}

async function called(...args: string[]): Promise<RecordedCall> {
  const call = new RecordedCall();
  await programOf(call)
    .parseAsync(args, { from: 'user' })
    .catch(() => {});
  return call;
}

it('its help has what it does, the examples as they are typed, and every exit code with its meaning', async () => {
  const { output } = await called('look', '--help');
  expect(output).toContain('Looks at it, and says what is there.');
  expect(output).toContain('\nExamples:\n  fd-handoff look ./app.sock\n      at this one\n');
  expect(output).toMatch(/\nExit codes:\n {2}0 +done\n {2}3 +nobody answers there.*\n {2}other +what it has seen/);
});

it('it stands in the list of the program with its summary', async () => {
  expect((await called('--help')).output).toMatch(/look \[options\] +look at it/);
});

it('a mistake says where its help is', async () => {
  const { errors } = await called('look', '--nothing');
  expect(errors).toContain('Try: fd-handoff look --help');
});

it('--debug counts before its action runs', async () => {
  const call = new RecordedCall();
  const seen: boolean[] = [];
  await programOf(call, () => seen.push(call.debug)).parseAsync(['look', '--debug'], { from: 'user' });
  expect(seen).toEqual([true]);
});

it('a section is set apart, with each line below its title', () => {
  expect(section(new RecordedCall(), 'More:', ['one', 'two'])).toBe('\nMore:\n  one\n  two');
  expect(section(new RecordedCall({ terminal: true }), 'More:', [])).toContain('\u001b[1mMore:');
});
