import { expect, it } from 'vitest';
import { CommandError } from '../../../../lib/cli/call/command-error.ts';

it('brings its exit code, a code for programs, and what is behind it', () => {
  const cause = new Error('why');
  const error = new CommandError('It failed.', { code: 'ERR_HANDOFF_TIMEOUT', exit: 'failed', cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ message: 'It failed.', code: 'ERR_HANDOFF_TIMEOUT', exit: 'failed', cause });
});

it('a mistake in the command line has no code', () => {
  expect(new CommandError('There is no src to watch.', { code: null, exit: 'usage' }).code).toBeNull();
});
