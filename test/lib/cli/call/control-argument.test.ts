import { Command } from 'commander';
import { expect, it } from 'vitest';
import { controlArgument, timeoutOption } from '../../../../lib/cli/call/control-argument.ts';

/** What a sub-command with both is called with. */
async function read(...args: string[]): Promise<unknown> {
  let result: unknown;
  await new Command()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .addArgument(controlArgument())
    .addOption(timeoutOption())
    .action((control: string, options: object) => {
      result = { control, ...options };
    })
    .parseAsync(args, { from: 'user' });
  return result;
}

it('a path, or an abstract name, with five seconds for the answer', async () => {
  expect(await read('./app.sock')).toEqual({ control: './app.sock', timeout: 5_000 });
  expect(await read('@app')).toEqual({ control: '@app', timeout: 5_000 });
});

it('the time is given with its unit, and is milliseconds', async () => {
  expect(await read('./app.sock', '--timeout', '2s')).toEqual({ control: './app.sock', timeout: 2_000 });
});

it.each([[[]], [['./app.sock', '--timeout', 'soon']], [['./app.sock', '--timeout', '-1s']]])(
  '%j is a mistake',
  async (args) => {
    await expect(read(...args)).rejects.toMatchObject({ exitCode: 1 });
  },
);
